import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireStore,
} from '@signalbox/options';
import { consumerNamer, principal, type ConsumerFunction } from './consumer.js';
import { memoryUsageStore } from './memory-usage-store.js';
import type { UsageStore } from './usage-store.js';

export interface UsageReportOptions {
  /**
   * Where the counts are kept: `memoryUsageStore()`, or `redisUsageStore()` so that they survive restarts.
   * @default memoryUsageStore()
   */
  store?: UsageStore | undefined;
  /** Names who calls, for `everyCall`. By default the principal, `req.auth.subject`; without one, `anonymous`. */
  consumer?: ConsumerFunction | undefined;
  /**
   * For how long counts are gathered before they are written.
   * @default 5_000
   */
  flushMs?: number | undefined;
  /**
   * How many different rows may wait to be written. Beyond it, consumers are no longer told apart.
   * @default 1_000
   */
  maxPending?: number | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

const STORE_METHODS: readonly (keyof UsageStore)[] = ['add', 'read'];

const NAMES = ['store', 'consumer', 'flushMs', 'maxPending', 'now'] as const;

export interface ResolvedUsage {
  readonly store: UsageStore;
  readonly consumerOf: ReturnType<typeof consumerNamer>;
  readonly flushMs: number;
  readonly maxPending: number;
  readonly now: () => number;
}

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveUsage(options: UsageReportOptions): ResolvedUsage {
  requireObject('usageReport', 'options', options);
  refuseUnknownOptions('usageReport', options, NAMES);
  const {
    store = memoryUsageStore(),
    consumer = principal,
    flushMs = 5_000,
    maxPending = 1_000,
    now = Date.now,
  } = options;
  requireStore('usageReport', store, STORE_METHODS, ['memoryUsageStore', 'redisUsageStore']);
  requireFunction('usageReport', 'consumer', consumer);
  requireMilliseconds('usageReport', 'flushMs', flushMs);
  requireInteger('usageReport', 'maxPending', maxPending, 1, 100_000);
  requireFunction('usageReport', 'now', now);
  return { store, consumerOf: consumerNamer(consumer), flushMs, maxPending, now };
}
