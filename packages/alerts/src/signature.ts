import { createHmac, timingSafeEqual } from 'node:crypto';
import { requireNumber, requireSecret, type Secret } from '@signalbox/options';

/** What a receiver got. */
export interface WebhookDelivery {
  /** The body's bytes as they came, before any parser. */
  body: string | Uint8Array;
  /** `X-Signalbox-Timestamp` */
  timestamp: string | undefined;
  /** `X-Signalbox-Signature` */
  signature: string | undefined;
  secret: Secret;
  /**
   * How old it may be, in seconds: who has overheard one cannot send it again later.
   * @default 300
   */
  toleranceSeconds?: number | undefined;
}

export function signatureOf(secret: Secret, timestamp: string, body: string | Uint8Array): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`;
}

/**
 * Whether a message of {@link webhook} is one of ours, and fresh.
 *
 * @throws {TypeError} when the secret or the tolerance is wrong; never because of what came
 *
 * @example
 * app.post('/alerts', express.text({ type: 'application/json' }), (req, res) => {
 *   const timestamp = req.get('x-signalbox-timestamp');
 *   const signature = req.get('x-signalbox-signature');
 *   const isOurs = verifyWebhook({ body: req.body, timestamp, signature, secret });
 *   res.sendStatus(isOurs ? 204 : 401);
 * });
 */
export function verifyWebhook(delivery: WebhookDelivery): boolean {
  const { body, timestamp, signature, secret, toleranceSeconds = 300 } = delivery;
  requireSecret('verifyWebhook', 'secret', secret);
  requireNumber('verifyWebhook', 'toleranceSeconds', toleranceSeconds, { above: 0, finite: true });
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp) || typeof signature !== 'string')
    return false;
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return false;
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > toleranceSeconds) return false;
  const wanted = Buffer.from(signatureOf(secret, timestamp, body));
  const got = Buffer.from(signature);
  return wanted.length === got.length && timingSafeEqual(wanted, got);
}
