import { describe, expect, it } from 'vitest';
import { KeyStoreUnavailableError, memoryKeyStore } from '../src/index.js';
import { itKeepsTheKeyStoreContract, storedKey } from './key-store-contract.js';

describe('memoryKeyStore', () => {
  itKeepsTheKeyStoreContract(() => memoryKeyStore());

  it('refuses new keys when it is full, rather than forget one', async () => {
    const store = memoryKeyStore({ maxKeys: 1 });
    const key = storedKey();
    await store.add(key, 5);
    expect(() => store.add(storedKey(), 5)).toThrow(KeyStoreUnavailableError);
    expect(await store.find(key.id)).toEqual(key);
    await store.remove(key.id, key.subject);
    expect(await store.add(storedKey(), 5)).toBe(true);
  });

  it.each([
    [{ maxKeys: 0 }, 'memoryKeyStore: "maxKeys" must be an integer of at least 1, got 0'],
    [{ max: 1 }, 'memoryKeyStore: "max" is not an option'],
  ])('refuses %o at construction', (options, message) => {
    expect(() => memoryKeyStore(options as object)).toThrow(message);
  });
});
