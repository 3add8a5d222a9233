import { LRUCache } from 'lru-cache';

/** Longer than a message about a removal takes. */
const ON_ITS_WAY_MS = 1_000;

/**
 * Remembers what was removed just now: an answer that was asked for before that may arrive later, and is old.
 */
export class Removals {
  private readonly removed = new LRUCache<string, number>({ max: 10_000 });
  private readonly kept = new LRUCache<string, number>({ max: 10_000 });

  add(name: string): void {
    this.removed.set(name, performance.now());
  }

  /** Whether it was removed while the answer was made. */
  isLate(name: string, tookMs: number): boolean {
    return this.wasRemovedSince(name, performance.now() - tookMs - 1);
  }

  /** @param since by the clock of `performance.now()` */
  wasRemovedSince(name: string, since: number): boolean {
    return isSince(this.removed.get(name), since);
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
