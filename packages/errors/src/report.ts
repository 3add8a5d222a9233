import type { Request, Response } from 'express';

interface ErrorLog {
  error(object: { err: unknown }, message: string): void;
}

/**
 * Reports an error in one place. A request logger that writes the error in its own line says so by
 * defining `res.err` when the request begins (pino-http's field); otherwise `req.log`, else stderr.
 */
export function reportError(error: unknown, req: Request, res: Response): void {
  if ('err' in res && res.err === error) return;
  // Once the response is out, or cut off, its line is written.
  if ('err' in res && !res.writableFinished && !res.closed) {
    res.err ??= error instanceof Error ? error : new Error(describe(error), { cause: error });
    return;
  }
  const { log } = req as { log?: unknown };
  if (isErrorLog(log)) log.error({ err: error }, 'Request failed');
  else process.stderr.write(`${req.method} ${req.baseUrl}${req.path} failed: ${stackOf(error)}\n`);
}

/** A 4xx is no failure of the app. A request logger that asks for it may tell its code. */
export function noteRefusal(error: unknown, res: Response): void {
  if ('err' in res && error instanceof Error) res.err ??= error;
}

/** The stack with those of the causes. Never the error's own properties: they may hold secrets. */
export function stackOf(error: unknown): string {
  const stacks: string[] = [];
  let current = error;
  for (let depth = 0; depth < 10 && current !== undefined && current !== null; depth += 1) {
    stacks.push(current instanceof Error ? (current.stack ?? describe(current)) : describe(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return stacks.length > 0 ? stacks.join('\ncaused by: ') : describe(error);
}

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'object' && value !== null ? 'a thrown object' : `thrown: ${String(value)}`;
}

function isErrorLog(log: unknown): log is ErrorLog {
  return typeof log === 'object' && log !== null && typeof (log as Partial<ErrorLog>).error === 'function';
}

declare module 'node:http' {
  interface ServerResponse {
    /** The error that was answered, for the request logger that defined the property. */
    err?: Error | undefined;
  }
}
