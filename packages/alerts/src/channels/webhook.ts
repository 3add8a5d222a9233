import { refuseUnknownOptions, requireObject, requireSecret, type Secret } from '@signalbox/options';
import type { AlertChannel, AlertMessage } from '../channel.js';
import { CHANNEL_OPTIONS, requireUrl, resolveChannel, type ChannelOptions } from '../channel-options.js';
import { signatureOf } from '../signature.js';
import { postJson } from './post.js';

export interface WebhookOptions extends ChannelOptions {
  url: string;
  /** Signs each message. At least 32 bytes. */
  secret: Secret;
}

/**
 * Posts JSON, signed: `X-Signalbox-Timestamp` has seconds since 1970, `X-Signalbox-Signature` is `v1=` and the
 * HMAC-SHA256, in hex, over the timestamp, a full stop and the body. `verifyWebhook` checks it. By default it is told all.
 *
 * @throws {TypeError} when an option is wrong
 */
export function webhook(options: WebhookOptions): AlertChannel {
  requireObject('webhook', 'options', options);
  refuseUnknownOptions('webhook', options, [...CHANNEL_OPTIONS, 'url', 'secret']);
  const { name, severity } = resolveChannel('webhook', options, { name: 'webhook', severity: 'info' });
  const url = requireUrl('webhook', 'url', options.url, false);
  const { secret } = options;
  requireSecret('webhook', 'secret', secret);

  return {
    name,
    severity,
    isGrouped: true,
    wantsRepeats: true,
    async send(message, signal) {
      const body = bodyOf(message);
      const timestamp = String(Math.floor(Date.now() / 1_000));
      await postJson(url, body, signal, {
        'x-signalbox-timestamp': timestamp,
        'x-signalbox-signature': signatureOf(secret, timestamp, body),
      });
    },
  };
}

function bodyOf({ service, environment, notices, dropped, unreachableSince }: AlertMessage): string {
  return JSON.stringify({
    version: 1,
    service,
    environment,
    alerts: notices.map(({ openedAt, overAt, ...notice }) => ({
      ...notice,
      status: notice.kind === 'over' ? 'resolved' : 'firing',
      openedAt: openedAt.toISOString(),
      overAt: overAt?.toISOString(),
    })),
    dropped,
    unreachableSince: unreachableSince?.toISOString(),
  });
}
