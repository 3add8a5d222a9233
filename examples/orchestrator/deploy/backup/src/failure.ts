/** What went wrong, in a sentence that an operator can use. Its message is all that is shown of it. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** Another process is doing the same. */
export class BusyError extends BackupError {}

/** What is said of any failure: never a stack, never a URL with a password. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: unknown = Reflect.get(error, 'code');
  const words = error.message === '' ? String(code) : error.message;
  if (code === 'ENOSPC' || code === 'EFBIG' || code === 'EDQUOT') return `there is no room left: ${words}`;
  return words.replaceAll(/\/\/[^/@\s]*@/g, '//[redacted]@');
}
