import { connectPostgres, type Database } from '@signalbox/postgres';
import { afterAll, beforeAll } from 'vitest';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { MIGRATIONS } from '../src/accounts/schema.js';

/** One Postgres with the tables of accounts, for all tests of the file that calls this; there in tests and hooks only. */
export function sharedDatabase(): () => Database {
  let postgres: PostgresServer;
  let database: Database;

  beforeAll(async () => {
    postgres = await startPostgres();
    database = connectPostgres(postgres.url);
    await database.migrate(MIGRATIONS);
  }, 60_000);
  afterAll(async () => {
    await database.close();
    await postgres.stop();
  });
  return () => database;
}
