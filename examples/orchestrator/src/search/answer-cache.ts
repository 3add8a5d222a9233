import { cache, memoryStore, redisStore, type Cache } from '@signalbox/cache';
import type { RedisLink } from '@signalbox/redis';
import type { Response } from 'express';
import { derivedSecret } from '../derived-secrets.js';
import type { Settings } from '../settings.js';

/** For so long at most an old answer is better than the wait for a new one, which is made meanwhile. */
const MAX_STALE_MS = 60_000;
/** For so long an old answer is better than none, or than one of the embedded engine. */
const STALE_IF_ERROR_MS = 24 * 3_600_000;

/** What searches found, for whoever asks the same: who asks makes no difference to it. */
export function answerCache(settings: Settings, redis: RedisLink | undefined): Cache {
  const { CACHE_TTL } = settings;
  return cache({
    store:
      redis === undefined
        ? memoryStore()
        : redisStore(redis, { secrets: derivedSecret(settings, 'answers').toString('hex') }),
    // 0 turns it off: answers that state no lifetime are not kept then.
    ttlMs: CACHE_TTL === 0 ? undefined : CACHE_TTL,
    shared: true,
    // `/api/search` answers by it.
    vary: ['X-API-Version'],
    staleWhileRevalidateMs: Math.min(CACHE_TTL, MAX_STALE_MS),
    staleIfErrorMs: STALE_IF_ERROR_MS,
    tags: (_req, res) => ['search', `source:${sourceOf(res)}`],
  });
}

/** `Cache-Control` of the second best, which is kept shortly if at all: the first choice may be back any moment. */
export function degradedControl({ CACHE_TTL }: Settings): string {
  return CACHE_TTL === 0 ? 'no-store' : 'max-age=10, stale-while-revalidate=0, stale-if-error=0';
}

/** Which source an answer came from, for the tag that it can be forgotten by. */
export function markSource(res: Response, source: string): void {
  res.locals['source'] = source;
}

function sourceOf({ locals }: Response): string {
  return typeof locals['source'] === 'string' ? locals['source'] : 'unknown';
}
