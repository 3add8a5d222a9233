import { LRUCache } from 'lru-cache';

/** Longer than a message about a removal takes. */
const ON_ITS_WAY_MS = 1_000;

/** Names may be as long as the URLs that somebody makes up. */
const BOUNDS = {
  max: 10_000,
  maxSize: 4_000_000,
  sizeCalculation: (_at: number, name: string): number => name.length + 1,
};

/**
 * Remembers what was removed just now: an answer that was asked for before that may arrive later, and is old.
 */
export class Removals {
  private readonly removed = new LRUCache<string, number>(BOUNDS);
  private readonly kept = new LRUCache<string, number>(BOUNDS);
  /** What others may still have. */
  private readonly owed = new LRUCache<string, number>(BOUNDS);
  private allAt = -Infinity;

  add(name: string): void {
    this.removed.set(name, performance.now());
  }

  /** Any may have been removed that nobody here was told of. */
  addAll(): void {
    this.allAt = performance.now();
  }

  /** It could not be removed from what all processes share, and is still to be. */
  owe(name: string): void {
    this.owed.set(name, performance.now());
  }

  settle(name: string): void {
    this.owed.delete(name);
  }

  isOwed(name: string): boolean {
    return this.owed.has(name);
  }

  allOwed(): string[] {
    return Array.from(this.owed.keys());
  }

  /** Whether it was removed while the answer was made. */
  isLate(name: string, tookMs: number): boolean {
    return this.wasRemovedSince(name, performance.now() - tookMs - 1);
  }

  /** @param since by the clock of `performance.now()` */
  wasRemovedSince(name: string, since: number): boolean {
    return this.allAt >= since || isSince(this.removed.get(name), since);
  }

  /** As {@link Removals.wasRemovedSince}, of what was kept here. */
  wasKeptSince(name: string, since: number): boolean {
    return isSince(this.kept.get(name), since);
  }

  noteKept(name: string): void {
    this.kept.set(name, performance.now());
  }

  /** Whether it was kept here while it was not known yet that another process removed it. */
  wasJustKept(name: string): boolean {
    return this.wasKeptSince(name, performance.now() - ON_ITS_WAY_MS);
  }
}

function isSince(at: number | undefined, since: number): boolean {
  return at !== undefined && at >= since;
}
