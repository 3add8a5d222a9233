/** A server could not listen where it was told to. The message says why, and what to do about it. */
export class ListenError extends Error {
  /** The system's own code, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(message: string, code: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
    this.code = code;
  }
}
