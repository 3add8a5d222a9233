/** Enough for any field that somebody has written down; a key of a megabyte is not sent back. */
const MAX_LENGTH = 256;

/** A JSON Pointer (RFC 6901 section 3). */
export function pointer(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) {
    text += `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (text.length > MAX_LENGTH) return `${text.slice(0, MAX_LENGTH)}…`;
  }
  return text;
}
