import { inspect } from 'node:util';

/** Where a server tells of itself: a pino logger, or anything with methods of these names. */
export interface ServerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** For a crash; where it is missing, `error` is used. */
  fatal?: ((fields: object, message: string) => void) | undefined;
}

/** The default: what somebody must know goes to stderr, the rest nowhere. */
export const stderrLog: ServerLog & { fatal(fields: object, message: string): void } = {
  info() {
    // A server that starts and stops as it should has nothing to say here.
  },
  warn: writeLine,
  error: writeLine,
  fatal: writeLine,
};

function writeLine(fields: object, message: string): void {
  const err = 'err' in fields ? fields.err : undefined;
  process.stderr.write(`${message}\n`);
  for (const line of causes(err)) process.stderr.write(`${line}\n`);
}

/** The stack of an error and of what caused it; bounded, since causes may run in a circle. */
function causes(err: unknown): string[] {
  const lines: string[] = [];
  for (let cause = err; cause !== undefined && lines.length < 5; ) {
    const text = cause instanceof Error ? (cause.stack ?? String(cause)) : inspect(cause);
    lines.push(lines.length === 0 ? text : `caused by ${text}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

/** @throws {TypeError} when `log` lacks a method that will be called */
export function requireLog(caller: string, log: unknown): void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof log === 'object' && log !== null && typeof Reflect.get(log, level) === 'function') continue;
    throw new TypeError(
      `${caller}: "log" must have the methods info, warn and error, as a pino logger has; "${level}" is missing`,
    );
  }
}
