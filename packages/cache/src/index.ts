export { byUser } from './key-function.js';
export { cache } from './cache.js';
export { cachedRoute } from './cached-route.js';
export { memoize } from './memoize.js';
export { memoryStore } from './memory-store.js';
export { redisStore } from './redis-store.js';

export type { RedisSource } from '@signalbox/redis';
export type { ByUserOptions, KeyFunction } from './key-function.js';
export type { Cache } from './cache.js';
export type { CacheKey } from './cache-key.js';
export type { Entry, EntryHead, Field } from './entry.js';
export type { Memoized, MemoizeOptions } from './memoize.js';
export type { MemoryStoreOptions } from './memory-store.js';
export type { CacheOptions } from './options.js';
export type { Refusal } from './policy.js';
export type { LocalTierOptions, RedisStoreOptions } from './redis-store.js';
export type { CacheStore, Claim, Invalidation, StoreSize } from './store.js';
export type { CacheReport, Outcome } from './tally.js';
