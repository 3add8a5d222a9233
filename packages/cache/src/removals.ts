import { LRUCache } from 'lru-cache';

/**
 * Remembers what was removed just now: an answer that was asked for before that may arrive later, and is old.
 */
export class Removals {
  private readonly removed = new LRUCache<string, number>({ max: 10_000 });

  add(name: string): void {
    this.removed.set(name, performance.now());
  }

  /** Whether it was removed while the answer was made. */
  isLate(name: string, tookMs: number): boolean {
    const at = this.removed.get(name);
    return at !== undefined && at >= performance.now() - tookMs - 1;
  }
}
