import { setImmediate } from 'node:timers/promises';
import { OVERFLOW, type UsageCount } from './usage-store.js';

/** How many counts are added before requests have their turn: a millisecond's work or so. */
const AT_ONCE = 500;

/** Counts by version, consumer and route; at most so many rows with a consumer of their own. */
export class UsageSums {
  private readonly rows: Map<string, UsageCount> = new Map();

  constructor(private readonly maxRows: number) {}

  get size(): number {
    return this.rows.size;
  }

  add(count: UsageCount): void {
    const key = keyOf(count);
    const known = this.rows.get(key);
    if (known !== undefined) this.rows.set(key, sum(known, count));
    else if (this.rows.size < this.maxRows) this.rows.set(key, count);
    else this.addBeyond(count);
  }

  /** Adds however many there are: 90 days of them, at once, would hold up every request for half a second. */
  async addAll(counts: Iterable<UsageCount>): Promise<void> {
    let added = 0;
    for (const count of counts) {
      this.add(count);
      added += 1;
      if (added % AT_ONCE === 0) await setImmediate();
    }
  }

  list(): readonly UsageCount[] {
    return [...this.rows.values()];
  }

  /** No call is lost, only who made it; and when routes and versions, too, are made up, which it was of. */
  private addBeyond(count: UsageCount): void {
    let beyond: UsageCount = { ...count, consumer: OVERFLOW };
    let known = this.rows.get(keyOf(beyond));
    if (known === undefined && this.rows.size >= 2 * this.maxRows) {
      beyond = { ...beyond, version: OVERFLOW, route: OVERFLOW };
      known = this.rows.get(keyOf(beyond));
    }
    this.rows.set(keyOf(beyond), known === undefined ? beyond : sum(known, beyond));
  }
}

function sum(one: UsageCount, other: UsageCount): UsageCount {
  return {
    ...one,
    calls: one.calls + other.calls,
    firstSeenMs: Math.min(one.firstSeenMs, other.firstSeenMs),
    lastSeenMs: Math.max(one.lastSeenMs, other.lastSeenMs),
  };
}

/** Unambiguous, whatever the names are made of. */
export function keyOf({ version, consumer, route }: UsageCount): string {
  return JSON.stringify([version, consumer, route]);
}
