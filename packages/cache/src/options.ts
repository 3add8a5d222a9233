import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireNumber,
  requireObject,
  requireStore,
  requireTokens,
  wrongOption,
} from '@signalbox/options';
import type { Request, Response } from 'express';
import { isPersonal, type KeyFunction } from './key-function.js';
import { memoryStore } from './memory-store.js';
import { MAX_KEPT_MS, type PolicyOptions } from './policy.js';
import type { KeyOptions } from './request-key.js';
import type { CacheStore } from './store.js';

export interface CacheOptions {
  /**
   * Where the answers live: `memoryStore()`, or `redisStore()` to share them among processes.
   * @default memoryStore()
   */
  store?: CacheStore | undefined;
  /** For how long answers are fresh that do not say so themselves, in milliseconds. By default they are not kept. */
  ttlMs?: number | undefined;
  /**
   * By how much of itself `ttlMs` may be shorter, at random, so that what was made together is not made again
   * together: 0 to 1.
   * @default 0.1
   */
  jitter?: number | undefined;
  /** What an answer depends on besides the URL. */
  key?: KeyFunction | undefined;
  /** Names to invalidate answers by. */
  tags?: readonly string[] | ((req: Request, res: Response) => readonly string[]) | undefined;
  /**
   * Whether an answer does not depend on who asks: it is kept also where the request bears credentials, and sent out
   * as `private`.
   * @default false
   */
  shared?: boolean | undefined;
  /** Header fields of requests that every answer depends on; each says so by `Vary`, for the caches in front. */
  vary?: readonly string[] | undefined;
  /**
   * For how long a stale answer is sent while a new one is made, where it does not say so itself, in milliseconds.
   * @default 0
   */
  staleWhileRevalidateMs?: number | undefined;
  /**
   * For how long a stale answer is sent where there is an error instead of a new one, in milliseconds.
   * @default 0
   */
  staleIfErrorMs?: number | undefined;
  /** How long a request waits for a new answer where there is a stale one it may have, in milliseconds. */
  softTimeoutMs?: number | undefined;
  /**
   * How long requests wait for an answer that another one has asked for, in milliseconds.
   * @default 10_000
   */
  waitMs?: number | undefined;
  /**
   * Whether an answer may be made anew shortly before it is stale, the likelier the longer it takes to make.
   * @default false
   */
  earlyRefresh?: boolean | undefined;
  /**
   * The largest body that is kept, in bytes.
   * @default 1_048_576
   */
  maxBodyBytes?: number | undefined;
  /**
   * Whether `Last-Modified` makes a lifetime where an answer states none (RFC 9111 section 4.2.2).
   * @default false
   */
  heuristic?: boolean | undefined;
  /**
   * Whether `Cache-Control` of a request is heeded: anybody can then have an answer made anew.
   * @default false
   */
  requestDirectives?: boolean | undefined;
  /**
   * Whether answers that have no `ETag` get one.
   * @default true
   */
  etag?: boolean | undefined;
  /**
   * Whether `X-Cache` says HIT or MISS, beside `Cache-Status`.
   * @default false
   */
  xCache?: boolean | undefined;
  /**
   * What `Cache-Status`, reports and signals call it.
   * @default 'signalbox'
   */
  name?: string | undefined;
  /** The time, in milliseconds since 1970. */
  now?: (() => number) | undefined;
}

/** {@link CacheOptions}, checked, with the defaults. */
export interface CacheSettings {
  readonly store: CacheStore;
  readonly policy: PolicyOptions;
  readonly keys: KeyOptions;
  readonly tags: readonly string[] | ((req: Request, res: Response) => readonly string[]);
  readonly shared: boolean;
  readonly softTimeoutMs: number | undefined;
  readonly waitMs: number;
  readonly earlyRefresh: boolean;
  readonly maxBodyBytes: number;
  readonly requestDirectives: boolean;
  readonly etag: boolean;
  readonly xCache: boolean;
  readonly name: string;
  readonly now: () => number;
}

const NAMES: readonly (keyof CacheOptions)[] = [
  'store',
  'ttlMs',
  'jitter',
  'key',
  'tags',
  'shared',
  'vary',
  'staleWhileRevalidateMs',
  'staleIfErrorMs',
  'softTimeoutMs',
  'waitMs',
  'earlyRefresh',
  'maxBodyBytes',
  'heuristic',
  'requestDirectives',
  'etag',
  'xCache',
  'name',
  'now',
];

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(owner: string, options: CacheOptions): CacheSettings {
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, NAMES);
  const {
    store = memoryStore(),
    ttlMs,
    jitter = 0.1,
    key,
    tags = [],
    shared = false,
    vary = [],
    staleWhileRevalidateMs = 0,
    staleIfErrorMs = 0,
    softTimeoutMs,
    waitMs = 10_000,
    earlyRefresh = false,
    maxBodyBytes = 1_048_576,
    heuristic = false,
    requestDirectives = false,
    etag = true,
    xCache = false,
    name = 'signalbox',
    now = Date.now,
  } = options;
  requireCacheStore(owner, store);
  if (ttlMs !== undefined) requireInteger(owner, 'ttlMs', ttlMs, 1, MAX_KEPT_MS);
  requireNumber(owner, 'jitter', jitter, { min: 0, max: 1 });
  if (key !== undefined) requireFunction(owner, 'key', key);
  if (typeof tags !== 'function') requireTags(owner, tags);
  requireTokens(owner, 'vary', vary, 'names of header fields');
  requireInteger(owner, 'staleWhileRevalidateMs', staleWhileRevalidateMs, 0, MAX_KEPT_MS);
  requireInteger(owner, 'staleIfErrorMs', staleIfErrorMs, 0, MAX_KEPT_MS);
  if (softTimeoutMs !== undefined) requireMilliseconds(owner, 'softTimeoutMs', softTimeoutMs);
  requireMilliseconds(owner, 'waitMs', waitMs);
  requireInteger(owner, 'maxBodyBytes', maxBodyBytes, 1);
  for (const [option, value] of Object.entries({
    shared,
    earlyRefresh,
    heuristic,
    requestDirectives,
    etag,
    xCache,
  })) {
    requireBoolean(owner, option, value);
  }
  // A token of Structured Fields, as the name of a cache is (RFC 9211 section 2).
  if (typeof name !== 'string' || !/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(name)) {
    throw wrongOption(owner, 'name', 'a token such as "search"', name);
  }
  requireFunction(owner, 'now', now);
  if (shared && isPersonal(key)) {
    throw new TypeError(`${owner}: "shared" must be false where "key" is byUser()`);
  }
  return {
    store,
    policy: { shared, ttlMs, jitter, heuristic, staleWhileRevalidateMs, staleIfErrorMs },
    keys: {
      key,
      isPersonal: isPersonal(key),
      isShared: shared,
      vary: vary.map((field: string) => field.toLowerCase()),
    },
    tags,
    shared,
    softTimeoutMs,
    waitMs,
    earlyRefresh,
    maxBodyBytes,
    requestDirectives,
    etag,
    xCache,
    name,
    now,
  };
}

export function requireTags(owner: string, tags: unknown): asserts tags is readonly string[] {
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag !== '')) return;
  throw wrongOption(owner, 'tags', 'a list of non-empty strings', tags);
}

const STORE_METHODS: readonly (keyof CacheStore)[] = ['read', 'write', 'remove', 'invalidate'];

export function requireCacheStore(owner: string, store: unknown): void {
  requireStore(owner, store, STORE_METHODS, ['memoryStore', 'redisStore']);
}
