import { readMember } from './read-member.js';

/** Told by `type`, `message` and `stack`, or told at the end. */
const TOLD: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/**
 * What the errors of clients carry of the call that failed: header fields, bodies, arguments, sockets.
 * What is worth knowing of it is said by `code`, `status` and the name of the command.
 */
const CARGO: ReadonlySet<string> = new Set([
  'body',
  'command',
  'data',
  'rawBody',
  'rawPacket',
  'request',
  'response',
]);

/** As many errors of one `AggregateError` are told. */
const MAX_ERRORS = 10;

/** An error as a plain object, in the order in which one reads it, its causes as they are. */
export function describeError(error: Error): object {
  const description: Record<string, unknown> = {
    type: typeOf(error),
    message: error.message,
  };
  for (const key of Object.keys(error)) {
    if (!TOLD.has(key)) description[key] = describeMember(error, key);
  }
  description['stack'] = error.stack;
  description['cause'] = causeOf(error);
  if ('errors' in error && Array.isArray(error.errors)) {
    description['errors'] = error.errors.slice(0, MAX_ERRORS);
  }
  return description;
}

function describeMember(error: Error, key: string): unknown {
  // Postgres quotes the failing row in `detail`, password hashes and all.
  if (key === 'detail' && 'routine' in error) return undefined;
  const value = readMember(error, key);
  return CARGO.has(key) ? summaryOf(value) : value;
}

/** `class TimeoutError extends Error {}` has the name of its base unless it says otherwise. */
function typeOf(error: Error): string {
  const { name } = error.constructor;
  return name === 'Error' || name === '' ? error.name : name;
}

/** VError has a method where ECMAScript has a value. */
function causeOf(error: Error): unknown {
  return typeof error.cause === 'function' ? (error.cause() as unknown) : error.cause;
}

function summaryOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return `[${typeof value}]`;
  const { status, statusCode, name } = value as Record<string, unknown>;
  const summary = {
    status: typeof status === 'number' ? status : typeof statusCode === 'number' ? statusCode : undefined,
    name: typeof name === 'string' ? name : undefined,
  };
  return summary.status === undefined && summary.name === undefined ? '[Object]' : summary;
}
