// RFC 9110 section 5.6.2.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const MAX_NAME_LENGTH = 64;

/**
 * A `server-timing-metric` (W3C Server Timing section 3): a token with `dur` in milliseconds. A name that is no
 * token goes into the description, a quoted string (RFC 9110 section 5.6.4).
 */
export function formatSpan(name: string, durationMs: number): string {
  const dur = `dur=${Math.round(durationMs * 1000) / 1000}`;
  const short = name.slice(0, MAX_NAME_LENGTH);
  if (TOKEN.test(short)) return `${short};${dur}`;
  const token = short.replace(/[^!#$%&'*+.^_`|~0-9A-Za-z-]+/g, '_') || '_';
  return `${token};desc="${quotable(short)}";${dur}`;
}

/** Printable ASCII, with the two characters escaped that mean something within quotes. */
function quotable(text: string): string {
  return text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&');
}
