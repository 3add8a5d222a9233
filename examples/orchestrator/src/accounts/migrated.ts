import { MigrationError, type Database } from '@signalbox/postgres';
import { MIGRATIONS } from './schema.js';

/** A database that has its tables before anything is asked of it. */
export interface Migrated {
  readonly database: Database;
  /** Makes what is missing, once; after a failure whoever asks next tries again. */
  readonly ready: () => Promise<void>;
  /**
   * Waits for what is being made. Rejects where a migration went wrong, after another try; a Postgres that is away is
   * no reason.
   *
   * @throws {MigrationError}
   */
  readonly check: () => Promise<void>;
}

/**
 * The tables are made when Postgres is there, which may be after this process: until then, and while it is gone, only
 * what asks it fails.
 *
 * @param fill puts in what has to be there, such as the admin account
 */
export function migrated(database: Database, fill: (database: Database) => Promise<void>): Migrated {
  let making: Promise<void> | undefined;
  let isReady = false;
  let isWrong = false;

  async function make(): Promise<void> {
    await database.migrate(MIGRATIONS);
    await fill(database);
    isReady = true;
    isWrong = false;
  }

  function ready(): Promise<void> {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      isWrong = error instanceof MigrationError;
      throw error;
    });
    return making;
  }

  async function check(): Promise<void> {
    if (isReady || (making === undefined && !isWrong)) return;
    await ready().catch((error: unknown) => {
      if (error instanceof MigrationError) throw error;
    });
  }

  return {
    ready,
    check,
    database: {
      get name() {
        return database.name;
      },
      get state() {
        return database.state;
      },
      query: async (...args) => {
        if (!isReady) await ready();
        return database.query(...args);
      },
      transaction: async (...args) => {
        if (!isReady) await ready();
        return database.transaction(...args);
      },
      migrate: (...args) => database.migrate(...args),
      check: (...args) => database.check(...args),
      stats: () => database.stats(),
      close: () => database.close(),
    },
  };
}
