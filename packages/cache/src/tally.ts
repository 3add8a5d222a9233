import type { Refusal } from './policy.js';
import type { StoreSize } from './store.js';

/** How a request was answered. */
export type Outcome = 'hit' | 'miss' | 'stale' | 'coalesced' | 'bypass';

/** What a cache has done since it was made, in this process. */
export interface CacheReport extends StoreSize {
  readonly name: string;
  readonly hit: number;
  readonly miss: number;
  readonly stale: number;
  readonly coalesced: number;
  readonly bypass: number;
  /** Answers that were kept. */
  readonly stored: number;
  /** Hits, stale and coalesced answers among all that asked the cache; `undefined` before the first. */
  readonly hitRate: number | undefined;
  /** Why answers were not kept, and how often. */
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** Requests with fields that make another request of it: answered past the cache. */
  readonly overrides: number;
}

export class Tally {
  readonly outcomes: Record<Outcome, number> = { hit: 0, miss: 0, stale: 0, coalesced: 0, bypass: 0 };
  readonly refused: Partial<Record<Refusal, number>> = {};
  stored = 0;
  overrides = 0;

  refuse(why: Refusal): void {
    this.refused[why] = (this.refused[why] ?? 0) + 1;
  }

  report(name: string, size: StoreSize): CacheReport {
    const { hit, miss, stale, coalesced } = this.outcomes;
    const asked = hit + miss + stale + coalesced;
    return {
      name,
      ...this.outcomes,
      ...size,
      stored: this.stored,
      hitRate: asked === 0 ? undefined : (asked - miss) / asked,
      refused: { ...this.refused },
      overrides: this.overrides,
    };
  }
}
