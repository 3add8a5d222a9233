import { refuseUnknownOptions, requireInteger, requireObject } from '@signalbox/options';
import type { CacheKey } from './cache-key.js';
import type { Entry } from './entry.js';
import { Ledger, marksOf } from './ledger.js';
import { Removals } from './removals.js';
import { Shelf } from './shelf.js';
import type { CacheStore } from './store.js';

export interface MemoryStoreOptions {
  /**
   * How many bytes it may hold, bodies and what they cost to keep.
   * @default 67_108_864
   */
  maxBytes?: number | undefined;
  /** @default 10_000 */
  maxEntries?: number | undefined;
}

/**
 * Keeps answers in this process. When it is full, what has not been used for longest goes.
 *
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * app.use(cache({ store: memoryStore({ maxBytes: 16_000_000 }) }));
 */
export function memoryStore(options: MemoryStoreOptions = {}): CacheStore {
  requireObject('memoryStore', 'options', options);
  refuseUnknownOptions('memoryStore', options, ['maxBytes', 'maxEntries']);
  const { maxBytes = 64 * 1024 * 1024, maxEntries = 10_000 } = options;
  requireInteger('memoryStore', 'maxBytes', maxBytes, 1);
  requireInteger('memoryStore', 'maxEntries', maxEntries, 1, 10_000_000);

  const shelf = new Shelf(maxBytes, maxEntries);
  const ledger = new Ledger();
  const removals = new Removals();

  function isCurrent(key: CacheKey, entry: Entry, askedMsAgo: number): boolean {
    return !removals.isLate(key.text, askedMsAgo) && ledger.isCurrent(entry);
  }

  return {
    read(key) {
      const entry = shelf.get(key.text);
      if (entry === undefined || ledger.isCurrent(entry)) return entry;
      shelf.delete(key.text);
      return undefined;
    },
    write(key, entry) {
      if (isCurrent(key, entry, entry.head.tookMs)) shelf.set(key.text, entry);
    },
    remove(key) {
      shelf.delete(key.text);
      removals.add(key.text);
    },
    invalidate(what) {
      for (const mark of marksOf(what)) ledger.add(mark, ledger.stamp + 1);
    },
    get stamp() {
      return ledger.stamp;
    },
    isCurrent,
    size: () => shelf.size(),
    close: () => shelf.clear(),
  };
}
