import { runInContext, within } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireNumber,
  requireObject,
  requireText,
} from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { CacheKey } from './cache-key.js';
import { Entry } from './entry.js';
import { argumentsKey } from './arguments-key.js';
import { claimOrFind } from './flights.js';
import { memoryStore } from './memory-store.js';
import { requireCacheStore, requireTags } from './options.js';
import { patienceOf, type Patience } from './patience.js';
import { MAX_KEPT_MS } from './policy.js';
import { requireInvalidation } from './require-invalidation.js';
import type { CacheStore, Claim, Invalidation } from './store.js';
import { Tally, type CacheReport, type Outcome } from './tally.js';

export interface MemoizeOptions<Args extends readonly unknown[], Result> {
  /** For how long a result is fresh, in milliseconds. */
  ttlMs: number;
  /**
   * What results are kept under, and what reports and signals call the function.
   * @default the function's own name
   */
  name?: string | undefined;
  /**
   * What a result depends on.
   * @default all arguments, as JSON; those that JSON does not tell apart are refused
   */
  key?: ((...args: Args) => string) | undefined;
  tags?: readonly string[] | ((result: Result, ...args: Args) => readonly string[]) | undefined;
  /** @default memoryStore() */
  store?: CacheStore | undefined;
  /**
   * By how much of itself `ttlMs` may be shorter, at random.
   * @default 0.1
   */
  jitter?: number | undefined;
  /** @default 0 */
  staleWhileRevalidateMs?: number | undefined;
  /** @default 0 */
  staleIfErrorMs?: number | undefined;
  /** How long a caller waits for a new result where there is a stale one, in milliseconds. */
  softTimeoutMs?: number | undefined;
  /** How long a caller waits at all, in milliseconds. Then it gets a 504 `cache_timeout`; the function goes on. */
  hardTimeoutMs?: number | undefined;
  /**
   * For how long a call is the one that others wait for, here and in other processes, in milliseconds: one that hangs
   * keeps nobody from the next.
   * @default 10_000
   */
  waitMs?: number | undefined;
  /** @default false */
  earlyRefresh?: boolean | undefined;
  /** Whether a result is kept; by default every one is. */
  isKept?: ((result: Result) => boolean) | undefined;
  /** The time, in milliseconds since 1970. */
  now?: (() => number) | undefined;
}

/** A function whose results are kept. */
export interface Memoized<Args extends readonly unknown[], Result> {
  (...args: Args): Promise<Result>;
  /** Forgets the result for these arguments, in all processes. */
  forget(...args: Args): Promise<void>;
  /** Forgets results by tag; all of them by `{ prefix: name }`. */
  invalidate(what: Invalidation): Promise<void>;
  report(): CacheReport;
}

/** A call that is under way, and since when. */
interface Making {
  readonly entry: Promise<Entry>;
  readonly startedAt: number;
}

const NAMES = [
  'ttlMs',
  'name',
  'key',
  'tags',
  'store',
  'jitter',
  'staleWhileRevalidateMs',
  'staleIfErrorMs',
  'softTimeoutMs',
  'hardTimeoutMs',
  'waitMs',
  'earlyRefresh',
  'isKept',
  'now',
];

/**
 * Keeps the results of a function as JSON: what comes back is what JSON makes of it, the first time, too. Whoever asks
 * while it runs gets the same result, or the same error.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const rates = memoize(fetchRates, { ttlMs: 3_600_000, name: 'rates', store: redisStore(redis) });
 * await rates('EUR');
 */
export function memoize<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result | Promise<Result>,
  options: MemoizeOptions<Args, Result>,
): Memoized<Args, Result> {
  requireFunction('memoize', 'fn', fn);
  const settings = resolve(fn, options);
  const { store, name, now } = settings;
  const tally = new Tally();
  const underWay = new Map<string, Making>();
  const keyOf = (args: Args): CacheKey => {
    const text = settings.key(...args);
    if (typeof text !== 'string') throw new TypeError(`memoize: "key" of ${name} must return a string`);
    return new CacheKey(`${name}\n${text}`, name);
  };

  function note(outcome: Outcome): void {
    tally.outcomes[outcome] += 1;
    if (signals.cacheLookup.hasSubscribers) signals.cacheLookup.publish({ cache: name, outcome });
  }

  /** The one call for all who ask meanwhile. @param after what it brings has to be newer than this */
  function call(key: CacheKey, args: Args, after = -Infinity): Making {
    const known = underWay.get(key.text);
    if (known !== undefined) return known;
    const startedAt = performance.now();
    // Of nobody's request: others wait for it, too, when whoever came first has gone.
    const entry = runInContext({}, () => make(key, args, after)).finally(() => {
      if (underWay.get(key.text) === making) underWay.delete(key.text);
    });
    const making = { entry, startedAt };
    underWay.set(key.text, making);
    // Nobody may be waiting any more.
    entry.catch(() => undefined);
    return making;
  }

  async function make(key: CacheKey, args: Args, after: number): Promise<Entry> {
    const { claim, found } = await claimOrFind(store, key, settings.waitMs, async () => {
      const entry = await store.read(key);
      return entry?.isFresh(now()) === true && entry.head.bornAt > after ? entry : undefined;
    });
    if (found !== undefined) return found;
    return makeMine(key, args, claim);
  }

  async function makeMine(key: CacheKey, args: Args, claim: Claim | undefined): Promise<Entry> {
    const [startedAt, askedAt] = [performance.now(), now()];
    const { stamp } = store;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      claim?.release();
      underWay.delete(key.text);
    }, settings.waitMs).unref();
    try {
      const result = await fn(...args);
      const text: string | undefined = JSON.stringify(result);
      const isKept = text !== undefined && (settings.isKept === undefined || settings.isKept(result));
      const tags = typeof settings.tags === 'function' ? settings.tags(result, ...args) : settings.tags;
      requireTags('memoize', tags);
      const entry = entryOf(text, performance.now() - startedAt, stamp, tags);
      const newer = isKept && isLate ? await store.read(key) : undefined;
      const isOlder = newer !== undefined && newer.head.bornAt - newer.head.tookMs > askedAt;
      // Whoever waits for the claim looks for the result as soon as it is given back.
      if (isKept && !isOlder) {
        await store.write(key, entry);
        tally.stored += 1;
      }
      return entry;
    } finally {
      clearTimeout(timer);
      claim?.release();
    }
  }

  function entryOf(text: string | undefined, tookMs: number, stamp: number, tags: readonly string[]): Entry {
    const bornAt = now();
    const freshUntil = bornAt + settings.ttlMs * (1 - Math.random() * settings.jitter);
    const revalidateUntil = freshUntil + settings.staleWhileRevalidateMs;
    const errorUntil = freshUntil + settings.staleIfErrorMs;
    return new Entry(
      {
        status: 0,
        path: name,
        fields: [],
        bornAt,
        freshUntil,
        revalidateUntil,
        errorUntil,
        keptUntil: Math.min(Math.max(revalidateUntil, errorUntil), bornAt + MAX_KEPT_MS),
        isPublic: true,
        mustValidate: false,
        etag: undefined,
        lastModified: undefined,
        tags,
        stamp,
        tookMs,
        route: undefined,
        vary: [],
        epoch: '',
      },
      Buffer.from(text ?? ''),
    );
  }

  async function memoized(...args: Args): Promise<Result> {
    const key = keyOf(args);
    const patience = patienceOf(name, settings.hardTimeoutMs);
    const found = store.read(key);
    const entry = found instanceof Promise ? await patience(found) : found;
    const at = now();
    if (entry !== undefined && entry.isFresh(at)) {
      note('hit');
      if (settings.earlyRefresh && isDue(entry, at)) void call(key, args, entry.head.bornAt);
      return valueOf(entry);
    }
    if (entry !== undefined && at < entry.head.revalidateUntil) {
      note('stale');
      void call(key, args);
      return valueOf(entry);
    }
    const stale = entry !== undefined && at < entry.head.errorUntil ? entry : undefined;
    const hasJoined = underWay.has(key.text);
    note(hasJoined ? 'coalesced' : 'miss');
    const making = call(key, args);
    const result = await settled(making.entry, stale, patience);
    // It was forgotten while it was made, maybe before this one was asked for: who waited makes a newer one.
    const isOutdated =
      hasJoined && store.isCurrent?.(key, result, performance.now() - making.startedAt) === false;
    return valueOf(isOutdated ? await patience(call(key, args).entry) : result);
  }

  /** What comes first: the result, the time after which a stale one will do, or the end of all patience. */
  async function settled(
    making: Promise<Entry>,
    stale: Entry | undefined,
    patience: Patience,
  ): Promise<Entry> {
    if (stale === undefined) return patience(making);
    const { softTimeoutMs } = settings;
    try {
      return await patience(
        softTimeoutMs === undefined ? making : within(softTimeoutMs, making, () => stale),
      );
    } catch {
      return stale;
    }
  }

  /** Parsed anew each time: nobody changes what another one has. */
  function valueOf({ body }: Entry): Result {
    return (body.length === 0 ? undefined : JSON.parse(body.toString())) as Result;
  }

  return Object.assign(memoized, {
    async forget(...args: Args): Promise<void> {
      await store.remove(keyOf(args));
    },
    async invalidate(what: Invalidation): Promise<void> {
      requireInvalidation('invalidate', what);
      await store.invalidate(what);
    },
    report: () => tally.report(name, store.size()),
  });
}

function isDue({ head }: Entry, now: number): boolean {
  const leftMs = head.freshUntil - now;
  return leftMs <= head.tookMs * 10 && -head.tookMs * Math.log(Math.random()) >= leftMs;
}

function resolve<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result | Promise<Result>,
  options: MemoizeOptions<Args, Result>,
): {
  ttlMs: number;
  name: string;
  key: (...args: Args) => string;
  tags: readonly string[] | ((result: Result, ...args: Args) => readonly string[]);
  store: CacheStore;
  jitter: number;
  staleWhileRevalidateMs: number;
  staleIfErrorMs: number;
  softTimeoutMs: number | undefined;
  hardTimeoutMs: number | undefined;
  waitMs: number;
  earlyRefresh: boolean;
  isKept: ((result: Result) => boolean) | undefined;
  now: () => number;
} {
  requireObject('memoize', 'options', options);
  refuseUnknownOptions('memoize', options, NAMES);
  const {
    ttlMs,
    name = fn.name,
    key = (...args: Args) => argumentsKey(name, args),
    tags = [],
    store = memoryStore(),
    jitter = 0.1,
    staleWhileRevalidateMs = 0,
    staleIfErrorMs = 0,
    softTimeoutMs,
    hardTimeoutMs,
    waitMs = 10_000,
    earlyRefresh = false,
    isKept,
    now = Date.now,
  } = options;
  requireInteger('memoize', 'ttlMs', ttlMs, 1, MAX_KEPT_MS);
  requireText('memoize', 'name', name);
  requireFunction('memoize', 'key', key);
  if (typeof tags !== 'function') requireTags('memoize', tags);
  requireCacheStore('memoize', store);
  requireNumber('memoize', 'jitter', jitter, { min: 0, max: 1 });
  requireInteger('memoize', 'staleWhileRevalidateMs', staleWhileRevalidateMs, 0, MAX_KEPT_MS);
  requireInteger('memoize', 'staleIfErrorMs', staleIfErrorMs, 0, MAX_KEPT_MS);
  if (softTimeoutMs !== undefined) requireMilliseconds('memoize', 'softTimeoutMs', softTimeoutMs);
  if (hardTimeoutMs !== undefined) requireMilliseconds('memoize', 'hardTimeoutMs', hardTimeoutMs);
  requireMilliseconds('memoize', 'waitMs', waitMs);
  requireBoolean('memoize', 'earlyRefresh', earlyRefresh);
  if (isKept !== undefined) requireFunction('memoize', 'isKept', isKept);
  requireFunction('memoize', 'now', now);
  return {
    ttlMs,
    name,
    key,
    tags,
    store,
    jitter,
    staleWhileRevalidateMs,
    staleIfErrorMs,
    softTimeoutMs,
    hardTimeoutMs,
    waitMs,
    earlyRefresh,
    isKept,
    now,
  };
}
