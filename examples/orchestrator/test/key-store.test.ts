import { describe } from 'vitest';
import { itKeepsTheKeyStoreContract } from '../../../packages/auth/test/key-store-contract.js';
import { keyStore } from '../src/accounts/key-store.js';
import { sharedDatabase } from './shared-database.js';

const database = sharedDatabase();

describe('keyStore', () => {
  itKeepsTheKeyStoreContract(() => {
    const store = keyStore(database());
    return {
      ...store,
      // Keys belong to accounts: whoever has one has been registered.
      async add(key, max) {
        await database().query(
          `insert into users (id, email, password_hash) values ($1, $1, '') on conflict do nothing`,
          [key.subject],
        );
        return store.add(key, max);
      },
    };
  });
});
