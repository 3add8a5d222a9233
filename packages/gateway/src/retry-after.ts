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

/** Only real dates: `Date.parse` takes much for one, such as "-1". */
function dateOf(text: string): number {
  return /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
}
