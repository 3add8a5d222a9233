/**
 * Not `URL.canParse`: that of Node 20 and 22 says no to letters such as `ü` once it has been called some thousand times.
 * `URL.parse` is not in Node 20.
 */
export function parsedUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
