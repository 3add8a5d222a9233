import { facts } from '@signalbox/context';
import { connectRedis, redisLink } from '@signalbox/redis';
import { assertNeverHangs } from '@signalbox/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient, redisClient } from '../../../test/support/redis-client.js';
import { memoryStore, rateLimit, redisStore, zones } from '../src/index.js';
import { failingStore, get, listening, serving, statuses, type Answer } from './support.js';

describe('while the store is down', () => {
  it('a limit is counted in this process, by default', async () => {
    const { decisions, features } = listening();
    const seen: unknown[] = [];
    const limits = zones({ store: failingStore(memoryStore()), zones: { api: '2/h' } });
    const url = await serving(limits.zone('api'), (req, _res, next) => {
      seen.push(facts(req).rateLimit);
      next();
    });
    expect(await statuses(4, () => get(url))).toEqual([200, 200, 429, 429]);
    expect(decisions).toEqual([
      { zone: 'api', outcome: 'allowed', local: true },
      { zone: 'api', outcome: 'allowed', local: true },
      { zone: 'api', outcome: 'refused', local: true },
      { zone: 'api', outcome: 'refused', local: true },
    ]);
    expect(seen).toEqual(['local_allowed', 'local_allowed']);
    expect(features).toEqual([
      {
        feature: 'rate-limit',
        degraded: true,
        policy: 'local',
        reason: 'The store does not answer: the store is down',
      },
    ]);
    expect(limits.report()[0]).toMatchObject({ local: 4 });
  });

  it.each([
    ['8/h', 4, 2],
    ['10/h', 4, 2],
    ['2/h', 4, 1],
    ['8/h sliding', 4, 2],
    ['10/h burst 7', 4, 2],
    ['10/h burst 7', 1, 8],
  ])('%s among %i processes is %i in each', async (rate, instances, share) => {
    const limits = zones({ store: failingStore(memoryStore()), instances, zones: { api: rate } });
    const url = await serving(limits.zone('api'));
    const answers = await statuses(share + 2, () => get(url));
    expect(answers.filter((status) => status === 200)).toHaveLength(share);
  });

  it('lets what costs more than the share through alone', async () => {
    const limits = zones({
      store: failingStore(memoryStore()),
      instances: 4,
      zones: { api: { rate: '10/h', cost: 5 } },
    });
    const url = await serving(limits.zone('api'));
    expect(await statuses(2, () => get(url))).toEqual([200, 429]);
  });

  it('everybody passes, or nobody, by option', async () => {
    const store = failingStore(memoryStore());
    const limits = zones({
      store,
      onStoreDown: 'open',
      zones: {
        search: '1/h',
        login: { rate: '1/h', onStoreDown: 'closed' },
        api: { rate: '2/h', onStoreDown: 'local' },
      },
    });
    const search = await serving(limits.zone('search'));
    expect(await statuses(3, () => get(search))).toEqual([200, 200, 200]);
    expect((await get(search)).headers).not.toHaveProperty('ratelimit');

    for (const zone of [limits.zone('login'), limits.zone(['search', 'login'])]) {
      const refused = await get(await serving(zone));
      expect(refused.status).toBe(503);
      expect(refused.headers['retry-after']).toBe('1');
      expect(refused.body.error?.type).toBe('rate_limit_unavailable');
    }
    const both = await serving(limits.zone(['search', 'api']));
    expect(await statuses(3, () => get(both))).toEqual([200, 200, 429]);
    await expect(limits.take('login', '::1')).rejects.toMatchObject({ status: 503 });
    expect(await limits.take('search', '::1')).toMatchObject({ allowed: true, source: 'open' });
    expect(await limits.take('api', '::1')).toMatchObject({ allowed: true, source: 'local' });
  });

  it('says once that it began and once that it ended, also when nobody asks any more', async () => {
    const { features } = listening();
    const store = failingStore(memoryStore());
    const limits = zones({ store, zones: { api: '1/h', other: '9/h' } });
    const url = await serving(limits.zone('other'));
    await Promise.all(Array.from({ length: 5 }, () => get(url)));
    expect(features).toHaveLength(1);
    store.isDown = false;
    await eventually(() => features.length === 2);
    expect(features[1]).toMatchObject({ feature: 'rate-limit', degraded: false, policy: 'local' });
    expect((await get(url)).headers['ratelimit']).toBe('"other";r=8;t=3600');
    expect(features).toHaveLength(2);
  });
});

/** The ways in which limits are used. Each has room for many requests, of which none may be refused. */
const uses = {
  zones: (redis: Parameters<typeof redisStore>[0]) =>
    zones({ store: redisStore(redis), zones: { api: '10000/h', search: '1000/s burst 1000' } }).zone([
      'api',
      'search',
    ]),
  rateLimit: (redis: Parameters<typeof redisStore>[0]) =>
    rateLimit({ store: redisStore(redis), limit: 10_000 }),
};

describe.each(Object.entries(uses))('%s on Redis', (_name, limit) => {
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.stop());

  /** Every answer comes in time, whatever happens meanwhile. */
  async function answersInTime(url: string, times = 8): Promise<Answer[]> {
    return assertNeverHangs(() => Promise.all(Array.from({ length: times }, () => get(url))), {
      withinMs: 1_000,
    });
  }

  async function recovers(url: string, features: readonly { degraded: boolean }[]): Promise<void> {
    await eventually(() => features.at(-1)?.degraded === false, 8_000);
    await eventually(async () => (await redis.command('dbsize')) !== '0' && (await get(url)).status === 200);
  }

  it('that is dead at boot: goes on, and recovers when Redis comes', async () => {
    const { features } = listening();
    await redis.kill();
    const url = await serving(limit(redisClient(redis.port)));
    for (const { status, headers } of await answersInTime(url)) {
      expect(status).toBe(200);
      expect(headers['ratelimit']).toMatch(/r=999\d/);
    }
    expect(features).toMatchObject([{ degraded: true, policy: 'local' }]);
    await redis.restart();
    await recovers(url, features);
  });

  it('that is killed: goes on, and recovers', async () => {
    const { features } = listening();
    const url = await serving(limit(await connectedClient(redis.port)));
    await answersInTime(url);
    const asked = answersInTime(url, 30);
    await redis.kill();
    for (const { status } of [...(await asked), ...(await answersInTime(url))]) expect(status).toBe(200);
    expect(features).toMatchObject([{ degraded: true }]);
    await redis.restart();
    await recovers(url, features);
  });

  it('that is stopped with its connections open: goes on within the deadline, and recovers', async () => {
    const { features } = listening();
    const url = await serving(limit(await connectedClient(redis.port)));
    await answersInTime(url);
    redis.pause();
    for (let round = 0; round < 3; round++) {
      for (const { status } of await answersInTime(url)) expect(status).toBe(200);
    }
    redis.resume();
    await recovers(url, features);
  });

  it('that takes no writes, being a replica: goes on, and recovers', async () => {
    const { features } = listening();
    const url = await serving(limit(await connectedClient(redis.port)));
    await answersInTime(url);
    await redis.command('replicaof', '127.0.0.1', '1');
    for (const { status } of await answersInTime(url)) expect(status).toBe(200);
    expect(features).toMatchObject([{ degraded: true }]);
    await redis.command('replicaof', 'no', 'one');
    await recovers(url, features);
  });

  it('that is out of memory: goes on, and recovers', async () => {
    const { features } = listening();
    const url = await serving(limit(await connectedClient(redis.port)));
    await answersInTime(url);
    await redis.command('config', 'set', 'maxmemory', '1');
    for (const { status } of await answersInTime(url)) expect(status).toBe(200);
    expect(features).toMatchObject([{ degraded: true }]);
    await redis.command('config', 'set', 'maxmemory', '0');
    await recovers(url, features);
  });

  it('that is far away: goes on within the deadline, and recovers', async () => {
    const { features } = listening();
    const proxy = await startFaultProxy({ to: redis.port });
    const url = await serving(limit(await connectedClient(proxy.port)));
    await answersInTime(url);
    await proxy.delay(500);
    for (const { status } of await answersInTime(url)) expect(status).toBe(200);
    expect(features).toMatchObject([{ degraded: true }]);
    await proxy.pass();
    await recovers(url, features);
    await proxy.stop();
  });

  it('that forgets its scripts: notices nothing', async () => {
    const { features } = listening();
    const url = await serving(limit(await connectedClient(redis.port)));
    await answersInTime(url);
    await redis.command('script', 'flush');
    const answers = await answersInTime(url);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(features).toEqual([]);
  });
});

describe('a Redis', () => {
  it('whose keys hold something else: the limits go on in this process, and say so', async () => {
    const { features } = listening();
    const redis = await startRedis();
    const client = await connectedClient(redis.port);
    const url = await serving(zones({ store: redisStore(client), zones: { api: '5/h' } }).zone('api'));
    expect((await get(url)).status).toBe(200);
    for (const key of await client.keys('*')) {
      await client.del(key);
      await client.lpush(key, 'x');
    }
    expect((await get(url)).status).toBe(200);
    expect(features[0]).toMatchObject({ degraded: true, reason: expect.stringContaining('WRONGTYPE') });
    await redis.stop();
  });
});

describe('a link of the app', () => {
  it('may be closed: the limits go on in this process', async () => {
    const redis = await startRedis();
    const link = connectRedis(redis.url);
    const url = await serving(zones({ store: redisStore(link), zones: { api: '5/h' } }).zone('api'));
    await eventually(() => redisLink(link).state === 'up');
    expect((await get(url)).status).toBe(200);
    await link.close();
    await link.close();
    expect(await statuses(6, () => get(url))).toEqual([200, 200, 200, 200, 200, 429]);
    await redis.stop();
  });
});
