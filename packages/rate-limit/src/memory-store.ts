import { refuseUnknownOptions, requireFunction, requireInteger, requireObject } from '@signalbox/options';
import { LRUCache } from 'lru-cache';
import type { Algorithm, Standing } from './algorithm.js';
import { fixedWindow } from './fixed-window.js';
import { gcra } from './gcra.js';
import type { Limit } from './limit.js';
import { slidingWindow } from './sliding-window.js';
import { refusedIndex, type Ask, type RateLimitStore } from './store.js';

export interface MemoryStoreOptions {
  /**
   * For how many callers each limit counts at most. An integer of at least 4.
   * @default 100_000
   */
  maxKeys?: number | undefined;
  /**
   * The clock, in milliseconds.
   * @default performance.now
   */
  now?: (() => number) | undefined;
}

/**
 * Counts in this process. For one process, for tests, and for what Redis does when it is gone.
 *
 * Memory is bounded. When it is full, those are forgotten first who have used less than half of their limit, and
 * among them those who have not come for longest. So nobody can wash away a count of their own by sending under
 * many other names (invented API keys, say) unless each of these uses up half of a limit, too.
 *
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * const store = memoryStore({ maxKeys: 10_000 });
 */
export function memoryStore(options: MemoryStoreOptions = {}): RateLimitStore {
  requireObject('memoryStore', 'options', options);
  refuseUnknownOptions('memoryStore', options, ['maxKeys', 'now']);
  const { maxKeys = 100_000, now = () => performance.now() } = options;
  requireInteger('memoryStore', 'maxKeys', maxKeys, 4);
  requireFunction('memoryStore', 'now', now);

  const tables = new Map<string, Table>();

  function tableOf(limit: Limit): Table {
    let table = tables.get(limit.bucket);
    if (table === undefined) {
      table = openTableOf(limit, maxKeys);
      tables.set(limit.bucket, table);
    }
    return table;
  }

  return {
    take(asks) {
      const at = now();
      const standings = asks.map(({ limit, who, cost }) => tableOf(limit).look(who, limit, at, cost));
      if (refusedIndex(asks, standings) !== -1) return standings;

      for (let index = 0; index < asks.length; index++) {
        const ask = asks[index] as Ask;
        if (standings[index]?.retryMs !== 0) continue;
        standings[index] = tableOf(ask.limit).charge(ask.who, ask.limit, at, ask.cost);
      }
      return standings;
    },

    refund(asks, standings) {
      for (const [index, { limit, who, cost }] of asks.entries()) {
        const charged = standings[index];
        if (charged !== undefined) tableOf(limit).refund(who, limit, now(), cost, charged.at);
      }
    },

    async reset(limits, who) {
      for (const limit of limits) tables.get(limit.bucket)?.reset(who);
    },
  };
}

/** The counts of all callers in one limit. */
interface Table {
  look(who: string, limit: Limit, now: number, cost: number): Standing;
  charge(who: string, limit: Limit, now: number, cost: number): Standing;
  refund(who: string, limit: Limit, now: number, cost: number, at: number): void;
  reset(who: string): void;
}

function openTableOf({ kind }: Limit, maxKeys: number): Table {
  switch (kind) {
    case 'fixed':
      return openTable(fixedWindow, maxKeys);
    case 'gcra':
      return openTable(gcra, maxKeys);
    case 'sliding':
      return openTable(slidingWindow, maxKeys);
  }
}

/** By size, of one each: with `max`, room for all of them would be made at once, on the first request of a limit. */
function statesOf<State extends object>(count: number): LRUCache<string, State> {
  return new LRUCache({ maxSize: Math.floor(count), sizeCalculation: () => 1 });
}

function openTable<State extends object>(algorithm: Algorithm<State>, maxKeys: number): Table {
  const light = statesOf<State>(maxKeys / 2);
  /** Who has used half of the limit or more. Among their own kind alone they can be pushed out. */
  const heavy = statesOf<State>(maxKeys / 2);
  const unused = algorithm.open();
  const find = (who: string): State | undefined => heavy.get(who) ?? light.get(who);

  return {
    look: (who, limit, now, cost) => algorithm.look(find(who) ?? unused, limit, now, cost),

    charge(who, limit, now, cost) {
      // `look` has found it a moment ago, and so made it the one that was used last.
      const isKnownHeavy = heavy.has(who);
      const known = isKnownHeavy ? heavy.peek(who) : light.peek(who);
      const state = known ?? algorithm.open();
      const standing = algorithm.charge(state, limit, now, cost);
      const isHeavy = standing.remaining * 2 <= limit.capacity;
      if (isHeavy && !isKnownHeavy) {
        light.delete(who);
        heavy.set(who, state);
      } else if (known === undefined) {
        light.set(who, state);
      }
      return standing;
    },

    refund(who, limit, now, cost, at) {
      const state = find(who);
      if (state !== undefined) algorithm.refund(state, limit, now, cost, at);
    },

    reset(who) {
      light.delete(who);
      heavy.delete(who);
    },
  };
}
