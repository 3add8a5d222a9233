import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { redisStore, zones, type RateLimitStore } from '../src/index.js';
import { get, listening, serving } from './support.js';
import { itKeepsTheStoreContract } from './store-contract.js';

const redis = sharedRedis();
let store: RateLimitStore;
beforeAll(() => {
  store = redisStore(redis.link);
});

describe('redisStore', () => {
  itKeepsTheStoreContract(() => store, pause);

  it('writes no key without an expiry, and none outside its prefix', async () => {
    const keys = await redis.client.keys('*');
    expect(keys.length).toBeGreaterThan(20);
    for (const key of keys) {
      expect(key).toMatch(/^signalbox:rate-limit:(fixed|gcra|sliding):[a-z0-9]+:\{\w+\}$/);
      // Some are gone by now; none is there for ever.
      expect(await redis.client.pttl(key)).not.toBe(-1);
    }
  });

  it('asks once a request, for one zone and for three', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const own = await connectedClient(proxy.port);
    const limits = zones({
      store: redisStore(own),
      zones: { one: '1000/m', two: '100/s burst 100', three: '1000/m sliding' },
    });
    const single = await serving(limits.zone('one'));
    const triple = await serving(limits.zone(['one', 'two', 'three']));
    // The script is loaded by the first call.
    await get(triple);

    for (const url of [single, triple]) {
      proxy.resetCounts();
      for (let times = 0; times < 10; times++) expect((await get(url)).status).toBe(200);
      expect(proxy.counts.roundTrips).toBe(10);
    }
    await proxy.stop();
  });

  it('finds its script again after SCRIPT FLUSH', async () => {
    const { features } = listening();
    const url = await serving(zones({ store, zones: { flushed: '2/m' } }).zone('flushed'));
    expect((await get(url)).status).toBe(200);
    await redis.server.command('script', 'flush');
    expect((await get(url)).status).toBe(200);
    expect((await get(url)).status).toBe(429);
    expect(features).toEqual([]);
  });

  it('counts together what two processes of one name and prefix count, and apart what differs', async () => {
    const other = await connectedClient(redis.server.port);
    const [one, two, apart] = await Promise.all([
      serving(zones({ store, zones: { shared: '2/m' } }).zone('shared')),
      serving(zones({ store: redisStore(other), zones: { shared: '2/m' } }).zone('shared')),
      serving(
        zones({ store: redisStore(other, { prefix: 'elsewhere:' }), zones: { shared: '2/m' } }).zone(
          'shared',
        ),
      ),
    ]);
    expect([(await get(one)).status, (await get(two)).status, (await get(one)).status]).toEqual([
      200, 200, 429,
    ]);
    expect((await get(apart)).status).toBe(200);
  });

  it('starts anew where a key holds a window of a longer limit', async () => {
    const long = zones({ store, zones: { changed: '1/h' } });
    const short = zones({ store, zones: { changed: '1/s' } });
    await long.take('changed', 'x');
    const decision = await short.take('changed', 'x');
    expect(decision).toMatchObject({ allowed: false, retryAfterSeconds: 1 });
  });

  it.each([
    [[undefined], 'redisLink: "source" must be a RedisLink or an ioredis client'],
    [['redis://127.0.0.1'], 'redisLink: "source" must be a RedisLink or an ioredis client'],
  ])('refuses %o as a source', (args, message) => {
    expect(() => redisStore(args[0] as never)).toThrow(message);
  });

  it.each([
    [{ prefix: 'a{b}' }, 'redisStore: "prefix" must be text without braces, got "a{b}"'],
    [{ prefix: 7 }, 'redisStore: "prefix" must be text without braces, got 7'],
    [{ prefx: 'a' }, 'redisStore: "prefx" is not an option; did you mean "prefix"?'],
  ])('refuses %o', (options, message) => {
    expect(() => redisStore(redis.client, options as never)).toThrow(new TypeError(message));
  });
});
