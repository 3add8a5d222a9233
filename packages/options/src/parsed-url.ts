/**
 * The URL that a text is, or `undefined` where it is none.
 *
 * `URL.canParse` of Node 20 and 22 says no to letters such as `ü` once it has been called some thousand times, and
 * `URL.parse` is not in Node 20.
 */
export function parsedUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
