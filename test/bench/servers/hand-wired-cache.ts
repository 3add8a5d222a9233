/** Ways in which people keep answers of an Express app in Redis. */
import apicache from 'apicache';
import type { RequestHandler } from 'express';
import type { Redis } from 'ioredis';
import redis from 'redis';
import { KEPT_SECONDS } from './search-results.js';

/**
 * As in most apps that have no library for it: look in Redis, else take what the handler gives to `res.json`. What
 * stands in Redis is sent as it stands there.
 *
 * @param parses as most tutorials have it: what was found is parsed, and given to `res.json` again
 */
export function handWrittenCache(client: Redis, parses: boolean): RequestHandler {
  return async (req, res, next) => {
    const key = `cache:${req.originalUrl}`;
    const kept = await client.get(key);
    if (kept !== null) {
      res.set('X-Cache', 'HIT');
      if (parses) res.json(JSON.parse(kept));
      else res.type('json').send(kept);
      return;
    }
    const json = res.json.bind(res);
    res.json = (body: unknown) => {
      if (res.statusCode === 200) {
        client
          .setex(key, KEPT_SECONDS, JSON.stringify(body))
          .catch((error: unknown) => req.log.error(error, 'The answer was not kept'));
      }
      return json(body);
    };
    res.set('X-Cache', 'MISS');
    next();
  };
}

/**
 * apicache by its README, on the client that it names. That has to be the third version of it: apicache waits for
 * callbacks, which later versions do not take, and keeps nothing in Redis unless the client says that it is
 * `connected`, which ioredis does not say.
 */
export function apicacheOnRedis(): RequestHandler[] {
  const redisClient = redis.createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' });
  const keep = apicache.options({
    redisClient,
    // Otherwise everybody gets the id and the limits of whoever came first.
    headerBlacklist: ['x-cache', 'x-request-id', 'ratelimit', 'ratelimit-policy'],
  }).middleware;
  return [
    (_req, res, next) => {
      res.set('X-Cache', 'HIT');
      next();
    },
    keep(`${KEPT_SECONDS} seconds`) as RequestHandler,
    (_req, res, next) => {
      res.set('X-Cache', 'MISS');
      next();
    },
  ];
}
