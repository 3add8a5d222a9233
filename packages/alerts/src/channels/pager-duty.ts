import { refuseUnknownOptions, requireObject, wrongSecret } from '@signalbox/options';
import type { AlertChannel, AlertMessage } from '../channel.js';
import { CHANNEL_OPTIONS, requireUrl, resolveChannel, type ChannelOptions } from '../channel-options.js';
import { labelOf, linesOf, remarksOf } from '../wording.js';
import { postJson } from './post.js';

export interface PagerDutyOptions extends ChannelOptions {
  /** The integration's key for Events API v2: 32 letters and digits. A secret. */
  routingKey: string;
  /** @default 'https://events.pagerduty.com/v2/enqueue' */
  url?: string | undefined;
}

/**
 * PagerDuty, by its Events API v2: `trigger` when an incident begins or gets worse and `resolve` when it is over, with one
 * `dedup_key`. By default for `critical` alone.
 *
 * @throws {TypeError} when an option is wrong
 */
export function pagerDuty(options: PagerDutyOptions): AlertChannel {
  requireObject('pagerDuty', 'options', options);
  refuseUnknownOptions('pagerDuty', options, [...CHANNEL_OPTIONS, 'routingKey', 'url']);
  const usual = { name: 'pagerduty', severity: 'critical' } as const;
  const { name, severity } = resolveChannel('pagerDuty', options, usual);
  const { routingKey } = options;
  if (typeof routingKey !== 'string' || !/^[A-Za-z0-9]{32}$/.test(routingKey)) {
    throw wrongSecret('pagerDuty', 'routingKey', 'of 32 letters and digits', routingKey);
  }
  const wanted = options.url ?? 'https://events.pagerduty.com/v2/enqueue';
  const url = requireUrl('pagerDuty', 'url', wanted, true);

  return {
    name,
    severity,
    isGrouped: false,
    // It reminds people by itself.
    wantsRepeats: false,
    async send(message, signal) {
      for (const body of eventsOf(message, routingKey)) await postJson(url, body, signal);
    },
  };
}

function* eventsOf(message: AlertMessage, routingKey: string): Generator<string> {
  const { service, environment } = message;
  for (const notice of message.notices) {
    const { id, kind, rule, subject, severity, title, openedAt, runbook } = notice;
    const dedupKey = kind === 'test' ? `${id}-${openedAt.getTime()}` : id;
    const common = { routing_key: routingKey, dedup_key: dedupKey };
    const resolve = JSON.stringify({ ...common, event_action: 'resolve' });
    if (kind === 'over') {
      yield resolve;
      continue;
    }
    yield JSON.stringify({
      ...common,
      event_action: 'trigger',
      client: service,
      ...(runbook === undefined ? {} : { links: [{ href: runbook, text: 'Runbook' }] }),
      payload: {
        summary: `[${labelOf(notice)}] ${service} (${environment}): ${title}`.slice(0, 1_024),
        source: service,
        severity,
        timestamp: openedAt.toISOString(),
        component: subject,
        group: environment,
        class: rule,
        custom_details: { notes: [...linesOf(notice), ...remarksOf(message)] },
      },
    });
    // A test leaves nothing open.
    if (kind === 'test') yield resolve;
  }
}
