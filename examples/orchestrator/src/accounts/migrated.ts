import type { Database } from '@signalbox/postgres';
import { MIGRATIONS } from './schema.js';

/** A database that has its tables before anything is asked of it. */
export interface Migrated {
  readonly database: Database;
  /** Makes what is missing, once; after a failure whoever asks next tries again. */
  readonly ready: () => Promise<void>;
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

  async function make(): Promise<void> {
    await database.migrate(MIGRATIONS);
    await fill(database);
    isReady = true;
  }

  function ready(): Promise<void> {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  }

  return {
    ready,
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
