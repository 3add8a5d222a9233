import type { Outage } from '@signalbox/redis';
import type { Standing } from './algorithm.js';
import { limitUnavailable } from './errors.js';
import { knownOver } from './known-over.js';
import type { Limit } from './limit.js';
import { memoryStore } from './memory-store.js';
import type { StoreDownPolicy } from './options.js';
import { refusedIndex, type Ask, type RateLimitStore } from './store.js';

/** What came of asking limits. */
export interface Verdict {
  /** What was asked; fewer than were wanted where the store is down and some limits are `open` then. */
  readonly asks: readonly Ask[];
  /** How the caller stands with each; `undefined` where it was not asked. */
  readonly standings: readonly (Standing | undefined)[];
  /** The ask that refuses; -1 where the request may pass. */
  readonly refused: number;
  /** Who counted: the store, this process in its place, or nobody. */
  readonly source: 'store' | 'known' | 'local' | 'open';
}

export interface DeciderOptions {
  readonly store: RateLimitStore;
  /** Is told when the store fails. */
  readonly outage: Outage;
  /** Among how many processes a limit is divided while each counts alone. */
  readonly instances: number;
  /** What a limit does while the store is down, by its name. */
  readonly policyOf: (limit: Limit) => StoreDownPolicy;
}

/** Asks a store, with all that saves asking and all that stands in for it. */
export interface Decider {
  /** Starts to ask. What is not known at once is for {@link Decider.judge}, or {@link Decider.withoutStore}. */
  ask(asks: readonly Ask[]): Verdict | Promise<readonly Standing[]>;
  judge(asks: readonly Ask[], standings: readonly Standing[]): Verdict;
  /** @throws {ServiceUnavailableError} where a limit is `closed` */
  withoutStore(asks: readonly Ask[], error: unknown): Verdict;
  /** Takes back what a verdict charged. Never rejects: at worst too much stays charged. */
  refund(verdict: Verdict, which: readonly Ask[]): Promise<void>;
  reset(limits: readonly Limit[], who: string): Promise<void>;
  /** Forgets what was counted here. */
  close(): void;
}

export function decider({ store, outage, instances, policyOf }: DeciderOptions): Decider {
  const known = knownOver();
  /** Counts while the store is down. */
  let local: RateLimitStore | undefined;

  function judge(asks: readonly Ask[], standings: readonly Standing[]): Verdict {
    const refused = refusedIndex(asks, standings);
    if (refused !== -1) known.add(asks[refused] as Ask, standings[refused] as Standing);
    return { asks, standings, refused, source: 'store' };
  }

  function withoutStore(asks: readonly Ask[], error: unknown): Verdict {
    const policies = asks.map(({ limit }) => policyOf(limit));
    const strictest = STRICTEST.find((policy) => policies.includes(policy)) ?? 'local';
    outage.failed(error, strictest, asks[0]?.who ?? '');
    if (strictest === 'closed') throw limitUnavailable(error);

    const counted = asks.filter((_ask, index) => policies[index] === 'local');
    if (counted.length === 0) return { asks, standings: [], refused: -1, source: 'open' };
    return askHere(counted);
  }

  /**
   * The same limits in this process alone, where each request costs as much more as there are processes. One of
   * a cost that would not fit at all fits alone.
   */
  function askHere(asks: readonly Ask[]): Verdict {
    local ??= memoryStore();
    const scaled = asks.map(({ limit, who, cost }) => ({
      limit,
      who,
      cost: Math.min(cost * instances, limit.capacity),
    }));
    const answer = local.take(scaled) as readonly Standing[];
    const standings = answer.map(({ remaining, ...standing }) => ({
      ...standing,
      remaining: Math.floor(remaining / instances),
    }));
    return { asks: scaled, standings, refused: refusedIndex(scaled, standings), source: 'local' };
  }

  return {
    judge,
    withoutStore,

    ask(asks) {
      const over = known.find(asks);
      if (over !== undefined) {
        const standings = asks.map((_ask, index) => (index === over.index ? over.standing : undefined));
        return { asks, standings, refused: over.index, source: 'known' };
      }
      let answer: readonly Standing[] | Promise<readonly Standing[]>;
      try {
        answer = store.take(asks);
      } catch (error) {
        return Promise.reject(error);
      }
      return answer instanceof Promise ? answer : judge(asks, answer);
    },

    async refund({ asks, standings, source }, which) {
      const charged = asks.filter((ask, index) => which.includes(ask) && standings[index]?.retryMs === 0);
      if (charged.length === 0) return;
      for (const { limit, who } of charged) known.forget(limit, who);
      const standingOf = (ask: Ask): Standing => standings[asks.indexOf(ask)] as Standing;
      try {
        await (source === 'local' ? local : store)?.refund(charged, charged.map(standingOf));
      } catch (error) {
        const [first] = charged;
        if (first !== undefined) outage.failed(error, policyOf(first.limit), first.who);
      }
    },

    async reset(limits, who) {
      for (const limit of limits) known.forget(limit, who);
      await local?.reset(limits, who);
      await store.reset(limits, who);
    },

    close() {
      local = undefined;
    },
  };
}

/** Of several policies the first of these holds for a request. */
const STRICTEST: readonly StoreDownPolicy[] = ['closed', 'local', 'open'];
