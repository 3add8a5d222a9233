/** The search behind the cache in Redis, with what was used last in this process, too. */
import { cachedRoute, redisStore } from '@signalbox/cache';
import { connectRedis } from '@signalbox/redis';
import { search, serveSearch } from './search-stack.js';

const redis = connectRedis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
await serveSearch(cachedRoute(3_600_000, { store: redisStore(redis) }), search);
