import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/index.js';
import { entryOf, itKeepsTheStoreContract, keyOf } from './store-contract.js';

describe('memoryStore', () => {
  const store = memoryStore();
  itKeepsTheStoreContract(
    () => store,
    () => store,
  );

  it('holds no more entries than it may, and forgets first what was not used', () => {
    const small = memoryStore({ maxEntries: 10 });
    const kept = keyOf();
    void small.write(kept, entryOf('kept'));
    for (let each = 0; each < 100; each += 1) {
      void small.write(keyOf(), entryOf('x'));
      expect(small.read(kept)).toBeDefined();
    }
    expect(small.size().entries).toBe(10);
  });

  it('holds no more bytes than it may, whatever comes', () => {
    const small = memoryStore({ maxBytes: 100_000 });
    for (let each = 0; each < 200; each += 1) {
      void small.write(keyOf(), entryOf('x'.repeat(each * 100)));
      expect(small.size().bytes).toBeLessThanOrEqual(100_000);
    }
    const large = keyOf();
    void small.write(large, entryOf('x'.repeat(200_000)));
    expect(small.read(large)).toBeUndefined();
  });

  it('counts the tags of an entry, too', () => {
    const store = memoryStore({ maxBytes: 1_000_000 });
    const tags = Array.from({ length: 1_000 }, (_, number) => `a tag, number ${number}`);
    for (let each = 0; each < 100; each += 1) void store.write(keyOf(), entryOf('x', { tags }));
    expect(store.size().entries).toBeLessThan(25);
  });

  it('forgets 100 000 entries of a tag in one step', () => {
    const large = memoryStore({ maxEntries: 100_000, maxBytes: 1_000_000_000 });
    const keys = Array.from({ length: 100_000 }, () => keyOf());
    for (const key of keys) void large.write(key, entryOf('x', { tags: ['all'] }));
    expect(large.size().entries).toBe(100_000);
    void large.invalidate({ tag: 'all' });
    expect(keys.some((key) => large.read(key) !== undefined)).toBe(false);
  });

  it.each([
    [{ maxBytes: 0 }, 'memoryStore: "maxBytes" must be an integer of at least 1, got 0'],
    [{ maxEntries: 1.5 }, 'memoryStore: "maxEntries" must be an integer from 1 to 10000000, got 1.5'],
    [{ maxByte: 1 }, 'memoryStore: "maxByte" is not an option; did you mean "maxBytes"?'],
  ])('refuses %o', (options, message) => {
    expect(() => memoryStore(options as never)).toThrow(new TypeError(message));
  });
});
