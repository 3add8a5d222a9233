export const REDACTED = '[redacted]';

// Greedy up to the last @, since a password may hold an @, a slash, a blank or a comma that nobody encoded.
const USERINFO = /([a-z][a-z0-9+.-]{0,31}:\/{0,2}).*@/gis;
const SECRET_PARAMETER =
  /([?&;][^=&#;]{0,64}(?:password|token|secret|key|signature|sig|auth)[^=&#;]{0,64}=)[^&#;]*/gi;

/** `text` without the user, password and secret-like parameters of the URLs in it. */
function redactUrl(text: string): string {
  const withoutUser = text.includes('@') ? text.replace(USERINFO, `$1${REDACTED}@`) : text;
  return withoutUser.replace(SECRET_PARAMETER, `$1${REDACTED}`);
}

/** A copy of a value for showing: no credentials of URLs, at any depth. */
export function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return redactUrl(value);
  if (value instanceof URL) return redactUrl(value.href);
  if (Array.isArray(value)) return value.map(redactValue);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, redactValue(part)]));
}

const SHOWN_LENGTH = 80;

/** A value as it may stand in a message: quoted, on one line, of bounded length, without credentials. */
export function quote(value: unknown): string {
  const shown = redactValue(value);
  const text = JSON.stringify(shown) ?? String(shown);
  const short = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  return oneLine(short);
}

/** `text` without the control characters that JSON leaves as they are, and without line breaks. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
