import { LRUCache } from 'lru-cache';
import { Entry } from './entry.js';
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
    this.entries.set(key, owning(entry));
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

/** Its body may be a piece of something larger, such as all that Redis sent at once, which would be kept with it. */
function owning(entry: Entry): Entry {
  const { head, body, localUntil } = entry;
  if (body.buffer.byteLength === body.length) return entry;
  const bytes = Buffer.allocUnsafeSlow(body.length);
  body.copy(bytes);
  const owned = new Entry(head, bytes);
  owned.localUntil = localUntil;
  return owned;
}
