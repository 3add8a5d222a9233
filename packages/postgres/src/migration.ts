import type { Transaction } from './database.js';

/** One step of the schema. */
export interface Migration {
  /** Unique, and the same for ever, such as `0001-users`. */
  name: string;
  /**
   * The statements, or a function that runs them. Of text a checksum is kept: once applied it must not change.
   */
  up: string | ((tx: Transaction) => Promise<unknown>);
  /**
   * Whether it runs in a transaction. `CREATE INDEX CONCURRENTLY` cannot. Without, each statement runs by itself: what fails
   * half-way stays half-done, and begins anew with the first one.
   * @default true
   */
  transaction?: boolean | undefined;
}

export interface MigrateOptions {
  /**
   * How long another process may be waited for that migrates, in milliseconds.
   * @default 60_000
   */
  waitMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What a run of migrations did. */
export interface MigrationReport {
  /** Names of those that were applied now. */
  applied: string[];
  /** Names of those that had been applied before. */
  known: string[];
  /** Names of those that were applied by somebody who has more of them. */
  unknown: string[];
}
