import { afterAll, beforeAll, describe } from 'vitest';
import { connectPostgres, type Database } from '@signalbox/postgres';
import { itKeepsTheKeyStoreContract } from '../../../packages/auth/test/key-store-contract.js';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { keyStore } from '../src/accounts/key-store.js';
import { MIGRATIONS } from '../src/accounts/schema.js';

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

describe('keyStore', () => {
  itKeepsTheKeyStoreContract(() => {
    const store = keyStore(database);
    return {
      ...store,
      // Keys belong to accounts: whoever has one has been registered.
      async add(key, max) {
        await database.query(
          `insert into users (id, email, password_hash) values ($1, $1, '') on conflict do nothing`,
          [key.subject],
        );
        return store.add(key, max);
      },
    };
  });
});
