import {
  refuseUnknownOptions,
  requireBoolean,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';

export interface PostgresBreakerOptions {
  /**
   * Connections in a row that broke or could not be made, after which statements are refused.
   * @default 5
   */
  failures?: number | undefined;
  /**
   * How long such a row may last, in milliseconds.
   * @default 10_000
   */
  windowMs?: number | undefined;
}

/** Where lines go that belong to no request. pino's loggers fit. */
export interface PostgresLogger {
  warn(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

/** What `connectPostgres()` and `embeddedPostgres()` have in common. */
export interface DatabaseOptions {
  /**
   * What errors, signals, metrics and the server's list of connections call it.
   * @default 'postgres'
   */
  name?: string | undefined;
  /**
   * How long a connection may be waited for, be it made or only free, in milliseconds.
   * @default 10_000
   */
  connectTimeoutMs?: number | undefined;
  /**
   * How long a statement may run, in milliseconds; 0 for as long as it takes.
   * @default 30_000
   */
  statementTimeoutMs?: number | undefined;
  /**
   * How long a transaction may do nothing, in milliseconds, before it is rolled back; 0 for ever.
   * @default 60_000
   */
  idleTransactionMs?: number | undefined;
  /**
   * From how many milliseconds a statement is slow, and is logged at WARN.
   * @default 1_000
   */
  slowMs?: number | undefined;
  /**
   * From how many milliseconds on a transaction that holds a connection is reported, with the place where it began;
   * 0 for never.
   * @default 30_000
   */
  leakWarningMs?: number | undefined;
  /**
   * Logs every statement at DEBUG, for development. Without a logger it goes to stderr.
   * @default false
   */
  queryLog?: boolean | undefined;
  /** For lines outside of a request; within one, its logger is taken. */
  log?: PostgresLogger | undefined;
  /**
   * The table in which applied migrations are kept; it may be `schema.table`.
   * @default 'signalbox_migrations'
   */
  migrationsTable?: string | undefined;
}

export interface PostgresOptions extends DatabaseOptions {
  /**
   * Connections that the pool may open.
   * @default 20
   */
  max?: number | undefined;
  /**
   * How long a statement may wait for a lock, in milliseconds; 0 for as long as it may run.
   * @default 10_000
   */
  lockTimeoutMs?: number | undefined;
  /**
   * After how long an unused connection is closed, in milliseconds; 0 for never.
   * @default 30_000
   */
  idleMs?: number | undefined;
  /**
   * After how long a connection is replaced by another, in milliseconds; 0 for never.
   * @default 3_600_000
   */
  recycleMs?: number | undefined;
  /** When to stop asking a Postgres that is not there. */
  breaker?: PostgresBreakerOptions | undefined;
}

/** {@link DatabaseOptions}, checked, with the defaults. */
export interface DatabaseSettings {
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly idleTransactionMs: number;
  readonly slowMs: number;
  readonly leakWarningMs: number;
  readonly queryLog: boolean;
  readonly log: PostgresLogger | undefined;
  readonly migrationsTable: string;
}

/** {@link PostgresOptions}, checked, with the defaults. */
export interface PostgresSettings extends DatabaseSettings {
  readonly max: number;
  readonly lockTimeoutMs: number;
  readonly idleMs: number;
  readonly recycleMs: number;
  readonly failures: number;
  readonly windowMs: number;
}

const DATABASE_NAMES: readonly (keyof DatabaseOptions)[] = [
  'name',
  'connectTimeoutMs',
  'statementTimeoutMs',
  'idleTransactionMs',
  'slowMs',
  'leakWarningMs',
  'queryLog',
  'log',
  'migrationsTable',
];

/** What a pool that is handed in has decided already. */
export const POOL_NAMES = ['max', 'lockTimeoutMs', 'idleMs', 'recycleMs'] as const;

const TABLE_NAME = /^[A-Za-z_][\w$]{0,62}(\.[A-Za-z_][\w$]{0,62})?$/;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveDatabaseOptions(
  owner: string,
  options: DatabaseOptions,
  moreNames: readonly string[] = [],
): DatabaseSettings {
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, [...DATABASE_NAMES, ...moreNames]);
  const {
    name = 'postgres',
    connectTimeoutMs = 10_000,
    statementTimeoutMs = 30_000,
    idleTransactionMs = 60_000,
    slowMs = 1_000,
    leakWarningMs = 30_000,
    queryLog = false,
    log,
    migrationsTable = 'signalbox_migrations',
  } = options;

  requireText(owner, 'name', name);
  requireMilliseconds(owner, 'connectTimeoutMs', connectTimeoutMs);
  requireMilliseconds(owner, 'statementTimeoutMs', statementTimeoutMs, 0);
  requireMilliseconds(owner, 'idleTransactionMs', idleTransactionMs, 0);
  requireMilliseconds(owner, 'slowMs', slowMs, 0);
  requireMilliseconds(owner, 'leakWarningMs', leakWarningMs, 0);
  requireBoolean(owner, 'queryLog', queryLog);
  if (log !== undefined && (typeof log?.warn !== 'function' || typeof log.debug !== 'function')) {
    throw wrongOption(owner, 'log', 'a logger with warn() and debug()', log);
  }
  if (typeof migrationsTable !== 'string' || !TABLE_NAME.test(migrationsTable)) {
    throw wrongOption(
      owner,
      'migrationsTable',
      'a name such as "migrations" or "app.migrations"',
      migrationsTable,
    );
  }
  return {
    name,
    connectTimeoutMs,
    statementTimeoutMs,
    idleTransactionMs,
    slowMs,
    leakWarningMs,
    queryLog,
    log,
    migrationsTable,
  };
}

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolvePostgresOptions(owner: string, options: PostgresOptions): PostgresSettings {
  const common = resolveDatabaseOptions(owner, options, [...POOL_NAMES, 'breaker']);
  const { max = 20, lockTimeoutMs = 10_000, idleMs = 30_000, recycleMs = 3_600_000, breaker = {} } = options;

  requireInteger(owner, 'max', max, 1, 10_000);
  requireMilliseconds(owner, 'lockTimeoutMs', lockTimeoutMs, 0);
  requireMilliseconds(owner, 'idleMs', idleMs, 0);
  requireMilliseconds(owner, 'recycleMs', recycleMs, 0);
  requireObject(owner, 'breaker', breaker);
  refuseUnknownOptions(`${owner}: "breaker"`, breaker, ['failures', 'windowMs']);
  const { failures = 5, windowMs = 10_000 } = breaker;
  requireInteger(owner, 'breaker.failures', failures, 1, 1_000);
  requireMilliseconds(owner, 'breaker.windowMs', windowMs);

  return { ...common, max, lockTimeoutMs, idleMs, recycleMs, failures, windowMs };
}
