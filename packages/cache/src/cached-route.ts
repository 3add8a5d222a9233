import { requireObject } from '@signalbox/options';
import { cache, type Cache } from './cache.js';
import type { CacheOptions } from './options.js';

/**
 * Keeps the answers of one route for so long where they do not say themselves for how long.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.get('/search', cachedRoute(60_000, { tags: ['search'] }), search);
 */
export function cachedRoute(ttlMs: number, options: Omit<CacheOptions, 'ttlMs'> = {}): Cache {
  requireObject('cachedRoute', 'options', options);
  return cache({ ...options, ttlMs });
}
