/**
 * A shared HTTP cache: `cache` in front of `proxy`, for the public test suite of HTTP caches.
 *
 * `node test/dist/conformance/cache-origin.js --port 8080 --origin http://127.0.0.1:8000 [--redis redis://127.0.0.1:6379]`
 */
import { parseArgs } from 'node:util';
import { cache, memoryStore, redisStore } from '@signalbox/cache';
import { errorHandler } from '@signalbox/errors';
import { proxy } from '@signalbox/gateway';
import { parsedUrl } from '@signalbox/options';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { serve } from '@signalbox/server';
import express, { type Express } from 'express';

interface Settings {
  port: number;
  origin: URL;
  redis: RedisLink | undefined;
}

/** For so long an answer that has grown old is better than an error. */
const STALE_IF_ERROR_MS = 60_000;

function sharedCache(origin: URL, redis: RedisLink | undefined): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(
    cache({
      store: redis === undefined ? memoryStore() : redisStore(redis),
      heuristic: true,
      staleIfErrorMs: STALE_IF_ERROR_MS,
      // What the origin answers is passed on as it is.
      etag: false,
    }),
    // One origin, whose errors are what is tested: it is asked each time, and once.
    proxy({ to: origin, retries: 0, breaker: false, ejection: false }),
    errorHandler(),
  );
  return app;
}

/** @throws {TypeError} saying what is wrong */
function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: { port: { type: 'string' }, origin: { type: 'string' }, redis: { type: 'string' } },
  });
  const { port = '', origin = '', redis } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new TypeError('"--port" must be a number from 0 to 65535');
  }
  const url = /^https?:\/\/[^/]/.test(origin) ? parsedUrl(origin) : undefined;
  if (url === undefined) {
    throw new TypeError('"--origin" must be a URL such as http://127.0.0.1:8000');
  }
  return {
    port: Number(port),
    origin: url,
    redis: redis === undefined ? undefined : connectRedis(redis),
  };
}

async function start({ port, origin, redis }: Settings): Promise<void> {
  const resources =
    redis === undefined ? [] : [{ name: 'redis', phase: 'pools' as const, close: () => redis.close() }];
  // Longer than clients keep a connection: none of them finds it closed when it has just used it.
  const { url } = await serve(sharedCache(origin, redis), { port, keepAliveTimeoutMs: 75_000, resources });
  console.log(`cache-origin: listening on ${url} for ${origin.origin}`);
}

let settings: Settings | undefined;
try {
  settings = settingsOf(process.argv.slice(2));
} catch (error) {
  // The first of them says what is wrong, where Node has advice to add.
  const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
  console.error(`cache-origin: ${sentence}`);
  process.exitCode = 2;
}
if (settings !== undefined) await start(settings);
