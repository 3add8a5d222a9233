/** Why a command failed, as its exit code. README.md has the table. */
export const EXIT_CODES = {
  stopped: 0,
  failed: 1,
  wrong_options: 2,
  not_running: 3,
  already_running: 4,
  address_in_use: 5,
  entry_missing: 6,
  no_permission: 7,
  rolled_back: 8,
  start_failed: 9,
  timed_out: 10,
} as const;

/** Stable word for what went wrong. */
export type ClusterErrorCode = keyof typeof EXIT_CODES;

/** The manager cannot do what it was told to. The message is a sentence that says why, and what to do. */
export class ClusterError extends Error {
  readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClusterError';
    this.code = code;
  }

  /** What a command line exits with. */
  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** The system's own word for an error, such as `EACCES`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
}

/** A failure to read or write a file, as the sentence that is shown. */
export function fileError(what: string, path: string, error: unknown): ClusterError {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new ClusterError('no_permission', `no permission to ${what} ${path}`, { cause: error });
  }
  const why = code === 'ENOENT' ? 'there is no such folder' : code;
  return new ClusterError('failed', `cannot ${what} ${path}: ${why}`, { cause: error });
}
