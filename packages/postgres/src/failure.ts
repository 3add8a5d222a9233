import { PostgresUnavailableError, type PostgresUnavailableReason } from './errors.js';

/** What went wrong with a statement or a connection. */
export interface Failure {
  /** What the caller gets. */
  readonly error: Error;
  /** Whether nothing more can be asked on the connection. */
  readonly isBroken: boolean;
}

/** What Postgres, its errors and PGlite's have in common. */
interface ServerError extends Error {
  code: string;
  severity: string;
}

const WORDS: Readonly<Record<PostgresUnavailableReason, string>> = {
  down: 'not connected',
  pool: 'all connections were busy for too long',
  timeout: 'no answer in time',
  breaker: 'not asked, since it does not answer',
  closed: 'closed',
  starting: 'the server is starting or stopping',
  connections: 'the server has no connection left',
  readonly: 'the server takes no writes',
  auth: 'the server does not let us in',
};

/** Classes and codes of PostgreSQL's manual, appendix A, that say "not now". */
const REASONS: Readonly<Record<string, PostgresUnavailableReason>> = {
  '53300': 'connections', // too_many_connections
  '57P01': 'down', // admin_shutdown
  '57P02': 'down', // crash_shutdown
  '57P03': 'starting', // cannot_connect_now
  '57P05': 'down', // idle_session_timeout
  '25P03': 'down', // idle_in_transaction_session_timeout
  '25P04': 'down', // transaction_timeout
  '25006': 'readonly', // read_only_sql_transaction
};

/** While connecting, these are not the statement's fault. */
const LOGIN_CLASSES = /^(28|3D|42501)/;

/** An error of our own making, without the words of anybody else. */
export function unavailable(
  database: string,
  reason: PostgresUnavailableReason,
  words: string = WORDS[reason],
  cause?: unknown,
): PostgresUnavailableError {
  return new PostgresUnavailableError(database, reason, words, cause);
}

/** Whether the server said it, as opposed to the client or the network. */
export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    'severity' in error &&
    typeof error.severity === 'string' &&
    'code' in error &&
    typeof error.code === 'string'
  );
}

/** Why there is no connection. Every failure of this kind means that Postgres cannot be asked now. */
export function connectFailure(database: string, error: unknown): PostgresUnavailableError {
  if (error instanceof PostgresUnavailableError) return error;
  const isOfServer = isServerError(error);
  const reason = isOfServer ? connectReason(error.code) : clientReason(error);
  // Where it is us who break it off, the reason is mostly the server's certificate.
  const words = reason === 'auth' && !isOfServer ? 'the connection is not safe' : WORDS[reason];
  return unavailable(database, reason, `${words}: ${connectWords(error)}`, error);
}

function connectReason(code: string): PostgresUnavailableReason {
  return REASONS[code] ?? (LOGIN_CLASSES.test(code) ? 'auth' : 'down');
}

function clientReason(error: unknown): PostgresUnavailableReason {
  const message = error instanceof Error ? error.message : '';
  // pg's words for a pool that is full, and for a server that does not answer.
  if (message === 'timeout exceeded when trying to connect') return 'pool';
  if (/timeout expired|due to connection timeout/.test(message)) return 'timeout';
  if (/after calling end on the pool/.test(message)) return 'closed';
  if (/SASL|password|SSL|certificate|self.signed/i.test(message)) return 'auth';
  return 'down';
}

/** An error of the network may come with a URL in its words, and that with a password. */
function connectWords(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (!isServerError(error) && code !== undefined) return code;
  return error.message.replaceAll(/\/\/\S*@/g, '//***@').slice(0, 200);
}

/** What became of a statement that was sent. */
export function statementFailure(database: string, error: unknown): Failure {
  if (error instanceof PostgresUnavailableError) return { error, isBroken: false };
  if (isServerError(error)) {
    const isFatal = error.severity === 'FATAL' || error.severity === 'PANIC';
    const reason = REASONS[error.code] ?? (error.code.startsWith('08') ? 'down' : undefined);
    if (reason !== undefined) {
      return { error: unavailable(database, reason, WORDS[reason], hideValues(error)), isBroken: true };
    }
    return { error: hideValues(error), isBroken: isFatal };
  }
  const known = error instanceof Error ? error : new Error(String(error));
  if (isConnectionLoss(known)) {
    return { error: unavailable(database, 'down', 'the connection is lost', known), isBroken: true };
  }
  // Such as a value that cannot be sent. Whether the connection is as it was, nobody knows.
  return { error: known, isBroken: true };
}

const LOST =
  /^Connection terminated|^Client has encountered a connection error|^Client was closed|^Query read timeout/;
const NETWORK_CODES = /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_|NOTFOUND)|ERR_(STREAM|SSL|TLS))/;

function isConnectionLoss(error: Error): boolean {
  if (LOST.test(error.message)) return true;
  return 'code' in error && typeof error.code === 'string' && NETWORK_CODES.test(error.code);
}

/** Of a row that was refused, its values: to be read by who looks for them, not to be found in a log. */
const WITH_VALUES = ['detail', 'where', 'internalQuery'] as const;

function hideValues(error: ServerError): ServerError {
  for (const field of WITH_VALUES) {
    if (field in error) Object.defineProperty(error, field, { enumerable: false });
  }
  // PGlite adds the statement and its parameters.
  for (const field of ['query', 'params', 'queryOptions']) Reflect.deleteProperty(error, field);
  return error;
}
