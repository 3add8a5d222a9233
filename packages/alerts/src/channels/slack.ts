import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import type { AlertChannel, AlertMessage, AlertNotice } from '../channel.js';
import { CHANNEL_OPTIONS, requireUrl, resolveChannel, type ChannelOptions } from '../channel-options.js';
import { headline, labelOf, linesOf, remarksOf } from '../wording.js';
import { postJson } from './post.js';

export interface SlackOptions extends ChannelOptions {
  /** The URL of an incoming webhook. A secret. */
  url: string;
}

const COLOURS = { info: '#439fe0', warning: '#daa038', critical: '#a30200' } as const;
const GREEN = '#2eb886';

/**
 * Slack, and what takes Slack's incoming webhooks, such as Mattermost. By default from `warning` on.
 *
 * @throws {TypeError} when an option is wrong
 */
export function slack(options: SlackOptions): AlertChannel {
  requireObject('slack', 'options', options);
  refuseUnknownOptions('slack', options, [...CHANNEL_OPTIONS, 'url']);
  const { name, severity } = resolveChannel('slack', options, { name: 'slack', severity: 'warning' });
  const url = requireUrl('slack', 'url', options.url, true);

  return {
    name,
    severity,
    isGrouped: true,
    wantsRepeats: true,
    send: (message, signal) => postJson(url, bodyOf(message), signal),
  };
}

function bodyOf(message: AlertMessage): string {
  const remarks = remarksOf(message).map((text) => ({ text: escaped(text), fallback: escaped(text) }));
  return JSON.stringify({
    text: escaped(headline(message)),
    attachments: [...message.notices.map(attachmentOf), ...remarks],
  });
}

function attachmentOf(notice: AlertNotice): object {
  const title = escaped(`${labelOf(notice)} ${notice.title}`);
  return {
    color: notice.kind === 'over' || notice.kind === 'test' ? GREEN : COLOURS[notice.severity],
    title,
    fallback: title,
    text: linesOf(notice).map(escaped).join('\n'),
    // No Markdown: a name with asterisks is what it is.
    mrkdwn_in: [],
  };
}

/** Slack's own three; with them no `<!channel>` calls everybody. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
