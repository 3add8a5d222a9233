/** Where failures are told: a pino logger, or anything with a method of this name. */
export interface RealtimeLog {
  error(fields: object, message: string): void;
}

/** The default. */
export const stderrLog: RealtimeLog = {
  error(fields, message) {
    const err = 'err' in fields ? fields.err : undefined;
    const text = err instanceof Error ? (err.stack ?? err.message) : '';
    process.stderr.write(`${message}: ${text}\n`);
  },
};
