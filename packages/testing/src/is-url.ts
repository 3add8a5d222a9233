/** Not `URL.canParse`: that of Node 20 and 22 says no to letters such as `ü` once it has been called some thousand times. */
export function isUrl(text: string): boolean {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}
