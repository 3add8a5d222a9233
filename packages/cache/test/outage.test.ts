import type { RequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { eventually } from '../../../test/support/eventually.js';
import { heardFeature } from '../../../test/support/heard.js';
import { redisClient } from '../../../test/support/redis-client.js';
import { send } from '../../../test/support/send.js';
import { cache, redisStore, type Cache } from '../src/index.js';
import { clock, counting, get, serving } from './support.js';

let redis: RedisServer;
let proxy: FaultProxy;
beforeAll(async () => {
  redis = await startRedis();
  proxy = await startFaultProxy({ to: redis.port });
});
afterAll(async () => {
  await proxy.stop();
  await redis.stop();
});

/** As the processes of one app, which differ by nothing. */
const sameHost: RequestHandler = (req, _res, next) => {
  req.headers.host = 'app.example';
  next();
};

function cacheOn(port: number, local: boolean | { ttlMs: number } = false): Cache {
  const route = cache({ store: redisStore(redisClient(port), { local }), ttlMs: 60_000 });
  onTestFinished(() => route.close());
  return route;
}

describe('a Redis that', () => {
  const faults: [string, () => Promise<void> | void, () => Promise<void> | void][] = [
    ['stops answering', () => redis.pause(), () => redis.resume()],
    ['is killed', () => redis.kill(), () => redis.restart()],
    ['is cut off', () => proxy.partition(), () => proxy.pass()],
    ['swallows everything', () => proxy.blackhole(), () => proxy.pass()],
    ['refuses connections', () => proxy.refuse(), () => proxy.pass()],
  ];

  it.each(faults)('%s costs misses, no hang, and is found again', async (_fault, begin, end) => {
    const states = heardFeature('cache');
    const handler = counting();
    const url = await serving(cacheOn(proxy.port), handler);
    await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
    const before = handler.calls();

    await begin();
    for (let times = 1; times <= 8; times += 1) {
      const startedAt = performance.now();
      const { status, text } = await get(url);
      // A read and a claim, each within the deadline.
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect({ status, text }).toEqual({ status: 200, text: `answer ${before + times}` });
    }
    expect(states[0]).toMatchObject({ feature: 'cache', degraded: true, policy: 'open' });

    await end();
    await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
    await eventually(() => states.at(-1)?.degraded === false);
  });

  it('is gone leaves what the local tier has, also past the time in which it asks nobody', async () => {
    const handler = counting();
    const url = await serving(cacheOn(proxy.port, { ttlMs: 1 }), handler);
    await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
    const { text } = await get(url);
    await proxy.refuse();
    for (let times = 0; times < 5; times += 1) expect((await get(url)).text).toBe(text);
    await proxy.pass();
  });

  it.each([
    ['and a local tier', true],
    ['and no local tier', false],
  ])(
    'is gone while an unsafe method succeeds does not bring back what that made old, %s',
    async (_which, local) => {
      let truth = 'old';
      const handler: RequestHandler = (req, res) => {
        if (req.method === 'PUT') truth = 'new';
        res.end(truth);
      };
      const path = `/page/${String(local)}`;
      const [url, there] = await Promise.all(
        [proxy.port, redis.port].map((port) => serving(sameHost, cacheOn(port, local), handler)),
      );
      const ask = async (from = url): Promise<string> => (await get(`${from}${path}`)).text;
      await eventually(
        async () => (await get(`${url}${path}`)).headers['cache-status']?.includes('hit') === true,
      );
      await proxy.refuse();
      await send(`${url}${path}`, { method: 'PUT' });
      expect(await ask()).toBe('new');
      expect(await ask(there)).toBe('old');
      await proxy.pass();
      await eventually(async () => {
        expect(await ask()).toBe('new');
        return (await ask(there)) === 'new';
      });
    },
  );

  it('is gone when the program starts is no reason not to start', async () => {
    await proxy.refuse();
    const handler = counting();
    const url = await serving(cacheOn(proxy.port), handler);
    expect((await get(url)).text).toBe('answer 1');
    // In the process there is still one call for many.
    await proxy.pass();
    await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
  });

  it('is gone cannot be told to forget, and says so', async () => {
    await proxy.refuse();
    const route = cacheOn(proxy.port);
    await expect(route.invalidate({ tag: 'a' })).rejects.toMatchObject({
      code: 'redis_unavailable',
      status: 503,
    });
    await proxy.pass();
  });
});

describe('an invalidation while a process hears nothing', () => {
  it('is caught up with', async () => {
    const { now } = clock();
    const route = cache({
      store: redisStore(redisClient(proxy.port), { local: { ttlMs: 60_000 } }),
      ttlMs: 60_000,
      tags: ['all'],
      now,
    });
    const there = redisStore(redisClient(redis.port));
    onTestFinished(() => {
      route.close();
      there.close();
    });
    const handler = counting();
    const url = await serving(route, handler);
    await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
    const { text } = await get(url);
    await proxy.reset();
    await proxy.refuse();
    await eventually(async () => {
      await there.invalidate({ tag: 'all' });
      return true;
    });
    await proxy.pass();
    await eventually(async () => (await get(url)).text !== text);
  });
});
