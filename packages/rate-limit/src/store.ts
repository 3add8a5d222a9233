import type { Store as ExpressStore } from 'express-rate-limit';
import type { Standing } from './algorithm.js';
import type { Limit } from './limit.js';

/** One limit, asked for one caller. */
export interface Ask {
  readonly limit: Limit;
  /** Who is counted: a hash, the same for all limits of one caller. */
  readonly who: string;
  /** What the request costs: above 0, at most the limit's capacity. */
  readonly cost: number;
}

/**
 * Where the counts live.
 *
 * A store decides atomically: of requests that are asked at the same time no more pass than the limits allow. All
 * asks are charged, or none of them when a limit that is not in shadow mode refuses (`retryMs` above 0). A limit
 * in shadow mode that would refuse is not charged either.
 */
export interface RateLimitStore {
  /**
   * Starts to ask before it returns, and answers how the caller stands with each limit, in the order of the asks.
   * An answer that is known at once is no promise.
   */
  take(asks: readonly Ask[]): readonly Standing[] | Promise<readonly Standing[]>;
  /** Takes back what was charged; `standings` is what {@link take} answered. */
  refund(asks: readonly Ask[], standings: readonly Standing[]): void | Promise<void>;
  /** Forgets the caller's counts in these limits; resolves even if there are none. */
  reset(limits: readonly Limit[], who: string): Promise<void>;
  /** Rejects while {@link take} would: a store that cannot fail has none. */
  probe?(who: string): Promise<void>;
  /** A store for express-rate-limit, where there is a better one than {@link take}. */
  expressStore?(name: string): ExpressStore;
}

/** The ask that refuses the request, of several the one that does so longest; -1 where none does. */
export function refusedIndex(asks: readonly Ask[], standings: readonly Standing[]): number {
  let refused = -1;
  let longestMs = 0;
  for (let index = 0; index < asks.length; index++) {
    const retryMs = standings[index]?.retryMs ?? 0;
    if (retryMs <= longestMs || asks[index]?.limit.shadow !== false) continue;
    refused = index;
    longestMs = retryMs;
  }
  return refused;
}
