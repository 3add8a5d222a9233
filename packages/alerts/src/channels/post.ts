import { DeliveryError } from '../channel.js';
import { nameOfError } from '../clean.js';

/** Worth another try as they are (RFC 9110 section 15, RFC 6585 section 4, RFC 8470). */
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429]);
/** The receiver refuses us, not the message. */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 410]);

/**
 * Posts a body. Anything but 2xx is a {@link DeliveryError}, whose words hold neither the URL nor the answer.
 *
 * Redirects are not followed: a key would go to whoever stands at the other end.
 */
export async function postJson(
  url: URL,
  body: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'signalbox-alerts', ...headers },
      body,
      redirect: 'manual',
      signal,
    });
    // What it says is of no use; unread, it would hold the connection.
    await response.body?.cancel();
  } catch (error) {
    const reason = nameOfError(error instanceof Error ? (error.cause ?? error) : error);
    throw new DeliveryError(`the receiver does not answer${reason === undefined ? '' : ` (${reason})`}`);
  }
  const { status } = response;
  if (status >= 200 && status < 300) return;
  throw new DeliveryError(`the receiver answered ${status}`, {
    remedy: remedyOf(status),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
  });
}

function remedyOf(status: number): DeliveryError['remedy'] {
  if (status >= 500 || TRANSIENT.has(status)) return 'retry';
  return status < 400 || REFUSED.has(status) ? 'mend' : 'drop';
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterMs(field: string | null): number | undefined {
  if (field === null) return undefined;
  const ms = /^\d{1,9}$/.test(field) ? Number(field) * 1_000 : Date.parse(field) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
