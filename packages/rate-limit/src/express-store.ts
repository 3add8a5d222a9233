import type { Store as ExpressStore } from 'express-rate-limit';
import type { Request } from 'express';
import type { Standing } from './algorithm.js';
import type { Decider, Verdict } from './decision.js';
import type { Limit } from './limit.js';
import type { Ask, RateLimitStore } from './store.js';

/**
 * Of what a store answers, express-rate-limit hands on a number and a date. The date brings the verdict along.
 */
class VerdictDate extends Date {
  constructor(
    readonly verdict: Verdict,
    resetMs: number,
  ) {
    super(Date.now() + resetMs);
  }
}

/** What was decided about the request that express-rate-limit just let through its `next` or its `handler`. */
export function verdictOf({ rateLimit }: Request): Verdict | undefined {
  const resetTime = rateLimit?.resetTime;
  return resetTime instanceof VerdictDate ? resetTime.verdict : undefined;
}

/** The store that express-rate-limit gets: one that knows what to do when Redis does not answer. */
export function expressStoreOf(limit: Limit, limits: Decider, inner: ExpressStore | undefined): ExpressStore {
  const asksOf = (who: string): readonly Ask[] => [{ limit, who, cost: 1 }];

  return {
    init: (options) => inner?.init?.(options),

    async increment(who) {
      const asks = asksOf(who);
      const answer = limits.ask(asks);
      if (!(answer instanceof Promise)) return clientOf(limit, answer);
      let verdict: Verdict;
      try {
        verdict = limits.judge(asks, await answer);
      } catch (error) {
        verdict = limits.withoutStore(asks, error);
      }
      return clientOf(limit, verdict);
    },

    // Taken back by those who know what was charged.
    decrement() {},

    resetKey: (who) => limits.reset([limit], who),
  };
}

function clientOf({ capacity }: Limit, verdict: Verdict): { totalHits: number; resetTime: Date } {
  const { remaining = capacity, resetMs = 0, retryMs = 0 } = verdict.standings[0] ?? {};
  return {
    totalHits: retryMs > 0 ? capacity + 1 : capacity - remaining,
    resetTime: new VerdictDate(verdict, resetMs),
  };
}

/** What rate-limit-redis counts, as a store of ours. */
export function windowStore(inner: ExpressStore, base: RateLimitStore): RateLimitStore {
  async function standing({ limit, who }: Ask): Promise<Standing> {
    const { totalHits, resetTime } = await inner.increment(who);
    const now = Date.now();
    const resetMs = resetTime === undefined ? limit.windowMs : Math.max(0, resetTime.getTime() - now);
    return {
      remaining: Math.max(0, limit.capacity - totalHits),
      resetMs,
      retryMs: totalHits > limit.capacity ? Math.max(1, resetMs) : 0,
      at: now,
    };
  }

  return {
    take: (asks) => Promise.all(asks.map(standing)),

    async refund(asks, standings) {
      const now = Date.now();
      // The window may have ended since, and another one must not be credited.
      const current = asks.filter((_ask, index) => {
        const { at = 0, resetMs = 0 } = standings[index] ?? {};
        return now < at + resetMs;
      });
      for (const { who } of current) await inner.decrement(who);
    },

    async reset(_limits, who) {
      await inner.resetKey(who);
    },

    probe: (who) => base.probe?.(who) ?? Promise.resolve(),
  };
}
