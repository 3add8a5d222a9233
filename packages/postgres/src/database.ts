import type { Migration, MigrateOptions, MigrationReport } from './migration.js';

/** What a statement gives. */
export interface QueryResult<Row = Record<string, unknown>> {
  rows: Row[];
  /** Rows that were returned or changed; 0 where the statement counts none. */
  rowCount: number;
}

export interface QueryOptions {
  /** Stops the statement when it is aborted. The signal of the current request does so anyway. */
  signal?: AbortSignal | undefined;
  /**
   * How long it may take, the wait for a connection included, in milliseconds.
   * @default what `statementTimeoutMs` and the deadline of the current request leave
   */
  timeoutMs?: number | undefined;
  /** Prepares the statement under this name, once on each connection. */
  name?: string | undefined;
}

/** As in `BEGIN ISOLATION LEVEL`. */
export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable';

export interface TransactionOptions {
  /** @default the server's, which is `read committed` if nobody changed it */
  isolation?: IsolationLevel | undefined;
  /**
   * How often the work is done again after a serialization failure (40001) or a deadlock (40P01).
   * @default 3
   */
  retries?: number | undefined;
  /** Rolls it back when it is aborted. The signal of the current request does so anyway. */
  signal?: AbortSignal | undefined;
}

/** What runs statements: a database, or one of its transactions. */
export interface Queryable {
  /**
   * Runs one statement.
   *
   * @param values for `$1`, `$2`, …
   */
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<QueryResult<Row>>;
}

/** One transaction, for as long as its work runs. Its statements run one after the other. */
export interface Transaction extends Queryable {
  /** Work within the work, behind a savepoint: when it fails, it alone is undone. One at a time. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** Whether queries are sent. */
export type DatabaseState = 'connecting' | 'up' | 'down' | 'closed';

/** The connections of a pool. */
export interface PoolStats {
  max: number;
  /** Open, or being opened. */
  size: number;
  /** Open and unused. */
  idle: number;
  /** Callers that wait for one. */
  waiting: number;
}

/** What {@link Database.check} finds. Fits `check()` of `@signalbox/health`. */
export interface DatabaseReport {
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** Why it is not healthy, in words. */
  reason?: string | undefined;
  details: Readonly<Record<string, unknown>>;
}

/**
 * One way to Postgres, for all that a process asks of it. Whatever is asked settles in time. What Postgres cannot
 * do now rejects with a `PostgresUnavailableError`, what it refuses with its own error, which has a `code`.
 */
export interface Database extends Queryable {
  readonly name: string;
  readonly state: DatabaseState;
  /**
   * Does the work in a transaction: committed when it resolves, rolled back when it rejects. After a conflict
   * with another transaction the work is done again, so that it must have no effects but those on the database.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Brings the schema up to date: what has not been applied is, in order, each in a transaction. Processes that
   * start at once do it once, under a lock.
   *
   * @param migrations a list, or the URL of a folder of `.sql` files, which are applied in the order of their names
   */
  migrate(migrations: readonly Migration[] | URL, options?: MigrateOptions): Promise<MigrationReport>;
  /** Asks for a sign of life, and whether it takes writes. Never rejects. */
  check(signal?: AbortSignal): Promise<DatabaseReport>;
  stats(): PoolStats;
  /** Waits a little for what is under way, and closes what was opened here. A pool that was handed in stays open. */
  close(): Promise<void>;
}
