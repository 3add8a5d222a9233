import { LRUCache } from 'lru-cache';
import type { Entry } from './entry.js';
import type { StoreSize } from './store.js';

/** Entries in memory, bounded by bytes and number. What is full forgets what has not been used for longest. */
export class Shelf {
  private readonly entries: LRUCache<string, Entry>;

  constructor(maxBytes: number, maxEntries: number) {
    this.entries = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      // Of what is larger than all of it nothing is kept.
      sizeCalculation: (entry, key) => entry.bytes + 2 * key.length,
    });
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  set(key: string, entry: Entry): void {
    this.entries.set(key, entry);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }

  size(): StoreSize {
    return { entries: this.entries.size, bytes: this.entries.calculatedSize };
  }
}
