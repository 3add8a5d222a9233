import { LRUCache } from 'lru-cache';
import type { Standing } from './algorithm.js';
import type { Limit } from './limit.js';
import type { Ask } from './store.js';

/** For how long a refusal is trusted without asking again: somebody may have reset the limit elsewhere. */
const TRUSTED_MS = 1_000;

interface Refusal {
  readonly limit: Limit;
  /** What costs less may still fit. */
  readonly cost: number;
  readonly remaining: number;
  readonly retryAt: number;
  readonly resetAt: number;
  readonly trustedUntil: number;
  readonly at: number;
}

/** Who is known to be over a limit, so that those who go on and on are refused without asking the store. */
export interface KnownOver {
  add(ask: Ask, standing: Standing): void;
  /** How the caller stands where one of the asks is known to be refused. */
  find(asks: readonly Ask[]): { readonly index: number; readonly standing: Standing } | undefined;
  forget(limit: Limit, who: string): void;
}

export function knownOver(): KnownOver {
  const refusals = new LRUCache<string, Refusal>({ max: 10_000 });
  const keyOf = (limit: Limit, who: string): string => `${limit.bucket}:${who}`;

  return {
    add({ limit, who, cost }, { remaining, retryMs, resetMs, at }) {
      const now = performance.now();
      refusals.set(keyOf(limit, who), {
        limit,
        cost,
        remaining,
        retryAt: now + retryMs,
        resetAt: now + resetMs,
        trustedUntil: now + Math.min(retryMs, TRUSTED_MS),
        at,
      });
    },

    find(asks) {
      if (refusals.size === 0) return undefined;
      const now = performance.now();
      for (let index = 0; index < asks.length; index++) {
        const { limit, who, cost } = asks[index] as Ask;
        if (limit.shadow) continue;
        const refusal = refusals.get(keyOf(limit, who));
        if (refusal === undefined || refusal.limit !== limit || cost < refusal.cost) continue;
        if (now >= refusal.trustedUntil) continue;
        const { remaining, retryAt, resetAt, at } = refusal;
        const retryMs = Math.max(1, Math.ceil(retryAt - now));
        const resetMs = Math.max(retryMs, Math.ceil(resetAt - now));
        return { index, standing: { remaining, resetMs, retryMs, at } };
      }
      return undefined;
    },

    forget(limit, who) {
      if (refusals.size > 0) refusals.delete(keyOf(limit, who));
    },
  };
}
