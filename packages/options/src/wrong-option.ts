const MAX_SHOWN = 80;

/**
 * The error for an option that is wrong.
 *
 * @param owner the function that has the option, as its user calls it
 * @param option its name; of an option in an option with a dot, `zones.search.rate`
 * @param wanted what it must be, after "must be"
 *
 * @example
 * throw wrongOption('serve', 'port', 'an integer from 0 to 65535', 70_000);
 * // TypeError: serve: "port" must be an integer from 0 to 65535, got 70000
 */
export function wrongOption(owner: string, option: string, wanted: string, got: unknown): TypeError {
  return new TypeError(`${owner}: "${option}" must be ${wanted}, got ${shown(got)}`);
}

/** As {@link wrongOption}, for an option that may hold a password or a key: of text it says the length alone. */
export function wrongSecret(owner: string, option: string, wanted: string, got: unknown): TypeError {
  const words = typeof got === 'string' && got !== '' ? `text of ${got.length} characters` : shown(got);
  return new TypeError(`${owner}: "${option}" must be ${wanted}, got ${words}`);
}

/** A value as an error message shows it: text in quotes and cut, of objects only what they are. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const text = withoutCredentials(value);
    return text.length > MAX_SHOWN ? `${JSON.stringify(text.slice(0, MAX_SHOWN))}…` : JSON.stringify(text);
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** What stands before the @ of a URL may be a password. To the last one: an unencoded password may have its own. */
function withoutCredentials(text: string): string {
  const start = text.indexOf('//') + 2;
  const end = text.lastIndexOf('@');
  return start < 2 || end < start ? text : `${text.slice(0, start)}***${text.slice(end)}`;
}
