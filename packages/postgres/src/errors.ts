import { InternalServerError, ServiceUnavailableError } from '@signalbox/errors';

/** Why Postgres cannot do it now. */
export type PostgresUnavailableReason =
  /** There is no connection, or it broke with the statement under way: it may or may not have happened. */
  | 'down'
  /** All connections of the pool were busy for as long as the caller could wait. Nothing was sent. */
  | 'pool'
  /** No answer in time. The server was asked to stop; a statement that writes may have happened all the same. */
  | 'timeout'
  /** Not sent, since Postgres has not answered others. */
  | 'breaker'
  /** Not sent, since the database was closed here. */
  | 'closed'
  /** The server starts, recovers or shuts down. */
  | 'starting'
  /** The server has no connection left for us. */
  | 'connections'
  /** The server is a replica or takes no writes, as after a failover. */
  | 'readonly'
  /** The server does not let us in: user, password, database or TLS are wrong. */
  | 'auth';

/**
 * Postgres cannot do it now: 503 `postgres_unavailable`, with `Retry-After`. Names the database and the reason;
 * no parameter or credential.
 */
export class PostgresUnavailableError extends ServiceUnavailableError {
  /** The name given to `connectPostgres()` or `embeddedPostgres()`. */
  readonly database: string;
  readonly reason: PostgresUnavailableReason;

  constructor(database: string, reason: PostgresUnavailableReason, words: string, cause?: unknown) {
    super(`postgres "${database}": ${words}`, { code: 'postgres_unavailable', retryAfterSeconds: 1, cause });
    this.database = database;
    this.reason = reason;
  }
}

/**
 * The program uses a transaction in a way that cannot work: 500 `transaction_misuse`. Such as a statement after
 * its end, or one beside it that would wait for it for ever.
 */
export class TransactionMisuseError extends InternalServerError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'transaction_misuse', cause });
  }
}

/** A migration failed, or is not what it was when it was applied: 500 `migration_failed`. */
export class MigrationError extends InternalServerError {
  /** Its name; `undefined` when no single one is at fault. */
  readonly migration: string | undefined;

  constructor(migration: string | undefined, message: string, cause?: unknown) {
    super(message, { code: 'migration_failed', cause });
    this.migration = migration;
  }
}
