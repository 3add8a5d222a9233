import { routeTemplate, type RequestScope } from '@signalbox/context';
import { signals, type DatabaseQuery } from '@signalbox/signals';
import type { Call } from './call.js';
import { PostgresUnavailableError } from './errors.js';
import { isServerError } from './failure.js';
import { fingerprint } from './fingerprint.js';
import type { DatabaseSettings, PostgresLogger } from './options.js';

/** Says it where the breakers of upstreams are heard, too. */
export function publishBreaker(database: string, isOpen: boolean): void {
  const [state, previous] = isOpen ? (['open', 'closed'] as const) : (['closed', 'open'] as const);
  signals.breakerState.publish({ upstream: database, server: undefined, route: 'postgres', state, previous });
}

/** What is said of a statement. What costs is worked out when somebody asks for it. */
class QueryEnded implements DatabaseQuery {
  readonly pool: string;
  readonly outcome: DatabaseQuery['outcome'];
  readonly durationMs: number;
  readonly slow: boolean;
  private readonly call: Call;

  constructor(
    pool: string,
    call: Call,
    { outcome, durationMs, slow }: Pick<DatabaseQuery, 'outcome' | 'durationMs' | 'slow'>,
  ) {
    this.pool = pool;
    this.outcome = outcome;
    this.durationMs = durationMs;
    this.slow = slow;
    this.call = call;
  }

  get fingerprint(): string {
    return fingerprint(this.call.text);
  }

  get route(): string | undefined {
    return routeOf(this.call.scope);
  }

  get requestId(): string | undefined {
    return this.call.scope?.id;
  }
}

/**
 * Makes the function that tells of a statement that has ended: as a signal, in the log if it was slow, and in
 * development always.
 */
export function createReporter(settings: DatabaseSettings): (call: Call, error: unknown) => void {
  const { name, slowMs, queryLog, log } = settings;

  return function reportQuery(call, error) {
    const durationMs = performance.now() - (call.sentAt || call.startedAt);
    const isSlow = slowMs > 0 && durationMs >= slowMs;
    const isHeard = signals.databaseQuery.hasSubscribers;
    if (!isSlow && !isHeard && !queryLog) return;

    const outcome = error === undefined ? 'ok' : outcomeOf(call, error);
    const ended = new QueryEnded(name, call, { outcome, durationMs, slow: isSlow });
    if (isHeard) signals.databaseQuery.publish(ended);
    const logger = loggerOf(call.scope) ?? log;
    if (isSlow) logger?.warn(...lineOf('Slow query', ended, call));
    else if (queryLog) (logger ?? STDERR).debug(...lineOf('Query', ended, call));
  };
}

function outcomeOf(call: Call, error: unknown): DatabaseQuery['outcome'] {
  if (error instanceof PostgresUnavailableError) {
    return error.reason === 'timeout' || error.reason === 'pool' ? 'timeout' : 'error';
  }
  if (isServerError(error)) return error.code === '57014' ? 'timeout' : 'error';
  return call.abortedBy() === undefined ? 'error' : 'aborted';
}

/** A line as pino takes it. Never a parameter: those are not in the statement, and its literals are taken out. */
function lineOf(what: string, ended: QueryEnded, call: Call): [object, string] {
  const { pool, outcome, route, requestId } = ended;
  const durationMs = Math.round(ended.durationMs * 10) / 10;
  const fields = {
    pool,
    query: ended.fingerprint,
    durationMs,
    rows: call.rowCount,
    outcome,
    route,
    requestId,
  };
  return [fields, `${what}: ${ended.fingerprint} took ${Math.round(durationMs)}ms`];
}

/** For development without a logger. */
const STDERR: Pick<PostgresLogger, 'debug'> = {
  debug: (_fields, message) => void process.stderr.write(`${message}\n`),
};

/** Says that a connection has been held for long, and where it was taken. */
export function warnOfLeak(
  { name, log }: DatabaseSettings,
  scope: RequestScope | undefined,
  heldMs: number,
  takenAt: string,
): void {
  const message = `postgres "${name}": a transaction has held its connection for ${Math.round(heldMs)} ms`;
  const logger = loggerOf(scope) ?? log;
  if (logger === undefined) {
    process.emitWarning(message, { code: 'SIGNALBOX_POSTGRES_LEAK', detail: takenAt });
    return;
  }
  const fields = {
    pool: name,
    heldMs: Math.round(heldMs),
    route: routeOf(scope),
    requestId: scope?.id,
    takenAt,
  };
  logger.warn(fields, message);
}

function routeOf(scope: RequestScope | undefined): string | undefined {
  return scope?.req === undefined ? undefined : routeTemplate(scope.req);
}

/** That of the request, as pino-http keeps it, or of the job. */
function loggerOf(scope: RequestScope | undefined): PostgresLogger | undefined {
  if (scope === undefined) return undefined;
  const { req } = scope;
  const logger = (req !== undefined && 'log' in req ? req.log : undefined) ?? scope.log;
  return isLogger(logger) ? logger : undefined;
}

function isLogger(value: unknown): value is PostgresLogger {
  return (
    typeof value === 'object' &&
    value !== null &&
    'warn' in value &&
    typeof value.warn === 'function' &&
    'debug' in value &&
    typeof value.debug === 'function'
  );
}
