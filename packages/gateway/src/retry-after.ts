/** Above this a server is asked again all the same: it may have recovered, or the field be nonsense. */
const MAX_REST_MS = 60_000;

/**
 * Reads `Retry-After`: seconds or an HTTP date (RFC 9110 section 10.2.3).
 *
 * @returns milliseconds from now, at most {@link MAX_REST_MS}; `undefined` when it says nothing
 */
export function retryAfterMs(field: unknown): number | undefined {
  if (typeof field !== 'string') return undefined;
  const text = field.trim();
  const wait = /^\d+$/.test(text) ? Number(text) * 1_000 : dateOf(text) - Date.now();
  if (Number.isNaN(wait)) return undefined;
  return Math.min(Math.max(0, wait), MAX_REST_MS);
}

/** `Sun Nov  6 08:49:37 1994`: as every date of HTTP it is in UTC, and the only form that does not say so. */
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/;

/** Only real dates: `Date.parse` takes much for one, such as "-1". */
function dateOf(text: string): number {
  if (ASCTIME.test(text)) return Date.parse(`${text} GMT`);
  return /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
}
