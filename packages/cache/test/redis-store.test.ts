import { setTimeout as sleep } from 'node:timers/promises';
import { runInContext } from '@signalbox/context';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { eventually } from '../../../test/support/eventually.js';
import { decode, encode } from '../src/entry-codec.js';
import { cache, redisStore, type CacheStore, type Entry, type RedisStoreOptions } from '../src/index.js';
import type { Claim } from '../src/store.js';
import { clock, counting, fields, get, serving } from './support.js';
import { entryOf, itKeepsTheStoreContract, keyOf, stampOf } from './store-contract.js';

let redis: RedisServer;
let client: Redis;
let link: RedisLink;
let elsewhere: RedisLink;
const stores: Record<'shared' | 'tiered' | 'other', CacheStore | undefined> = {
  shared: undefined,
  tiered: undefined,
  other: undefined,
};

beforeAll(async () => {
  redis = await startRedis();
  client = new Redis(redis.port);
  await client.ping();
  // Their deadline is not what the tests are about: a busy machine shall not fail them.
  link = connectRedis(redis.url, { deadlineMs: 5_000 });
  elsewhere = connectRedis(redis.url, { deadlineMs: 5_000 });
  await eventually(() => link.state === 'up' && elsewhere.state === 'up');
  stores.shared = redisStore(link, { local: false });
  stores.tiered = redisStore(link);
  // As another process has it.
  stores.other = redisStore(elsewhere, { local: false });
});
afterAll(async () => {
  for (const store of Object.values(stores)) store?.close();
  client.disconnect();
  await Promise.all([link.close(), elsewhere.close()]);
  await redis.stop();
});

function of(name: keyof typeof stores): CacheStore {
  const store = stores[name];
  if (store === undefined) throw new Error('not yet');
  return store;
}

async function opened(options: RedisStoreOptions = {}, port = redis.port): Promise<CacheStore> {
  const own = connectRedis(`redis://127.0.0.1:${port}`, { deadlineMs: 5_000 });
  await eventually(() => own.state === 'up');
  const store = redisStore(own, options);
  onTestFinished(() => {
    store.close();
    return own.close();
  });
  return store;
}

/** How often Redis was asked for an entry so far. */
async function reads(): Promise<number> {
  const statistics = await redis.command('info', 'commandstats');
  return Number(/cmdstat_mget:calls=(\d+)/.exec(statistics)?.[1]);
}

describe('redisStore', () => {
  describe('without a local tier', () =>
    itKeepsTheStoreContract(
      () => of('shared'),
      () => of('other'),
    ));
  describe('with a local tier', () =>
    itKeepsTheStoreContract(
      () => of('tiered'),
      () => of('other'),
    ));

  it('writes no key without an expiry, none outside its prefix, and no query in clear', async () => {
    const prefix = 'keys:';
    const store = await opened({
      prefix,
      secrets: ['a secret of a few words, and of 32 bytes', 'an older one of at least 32 bytes'],
    });
    const route = cache({ store, ttlMs: 60_000, tags: ['t'] });
    const url = await serving(route, counting(fields({ vary: 'Accept' })));
    const token = 'eyJhbGciOiJIUzI1NiJ9abc123';
    await get(`${url}/api/search/${token}?q=my+illness`);
    await route.invalidate({ tag: 'x' });
    const keys = await client.keys(`${prefix}*`);
    expect(keys.length).toBeGreaterThanOrEqual(4);
    for (const key of keys) {
      expect(key).toMatch(
        /^keys:(\/api\/search\/~:[\w-]+|\{keys:\/api\/search\/~:[\w-]+\}:lock|\{ledger\}(:stamp)?)$/,
      );
      // A lock may be gone by now.
      expect(await client.pttl(key)).not.toBe(-1);
    }
  });

  it('whoever gets the right to make an entry finds what was kept before that, also while others ask for it', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const late = await opened({}, proxy.port);
    const key = keyOf();
    const entry = entryOf('made elsewhere', { stamp: await stampOf(late) });
    // Redis is fast, and what it says takes long.
    await proxy.delay(500);
    const before = await reads();
    const asked = Promise.resolve(late.read(key));
    await eventually(async () => (await reads()) > before);
    await of('shared').write(key, entry);
    const [claim, found] = await Promise.all([late.claim?.(key), late.read(key)]);
    expect(await asked).toBeUndefined();
    expect(claim?.isMine).toBe(true);
    expect(found?.body.toString()).toBe('made elsewhere');
    claim?.release();
  });

  it('a hit is one round trip and one command, of an answer with variants, too', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const store = await opened({ local: false }, proxy.port);
    const handler = counting(fields({ vary: 'Accept' }));
    const plain = await serving(cache({ store, ttlMs: 60_000, tags: ['one-trip'] }), counting());
    const varied = await serving(cache({ store, ttlMs: 60_000 }), handler);
    for (const url of [plain, varied]) {
      await eventually(async () => (await get(url)).headers['cache-status']?.includes('hit') === true);
      // The link looks now and then whether its connections live: not each time.
      await eventually(async () => {
        proxy.resetCounts();
        const before = await reads();
        for (let times = 0; times < 10; times += 1) await get(url);
        return (await reads()) - before === 10 && proxy.counts.roundTrips === 10;
      });
    }
    await proxy.stop();
  });

  it('a hit of the local tier asks nothing', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const store = await opened({}, proxy.port);
    const url = await serving(cache({ store, ttlMs: 60_000 }), counting());
    await eventually(async () => {
      const before = proxy.counts.roundTrips;
      return (
        (await get(url)).headers['cache-status']?.includes('hit') === true &&
        proxy.counts.roundTrips === before
      );
    });
    // The link looks now and then whether its connections live.
    await eventually(async () => {
      proxy.resetCounts();
      for (let times = 0; times < 10; times += 1) await get(url);
      return proxy.counts.roundTrips === 0;
    });
    await proxy.stop();
  });

  it('of many that ask at the same time for what the local tier does not have, one asks Redis', async () => {
    const key = keyOf();
    await of('other').write(key, entryOf('x', { stamp: await stampOf(of('other')) }));
    const store = await opened();
    const before = await reads();
    const found = await Promise.all(Array.from({ length: 100 }, async () => store.read(key)));
    expect(found.every((entry) => entry?.body.toString() === 'x')).toBe(true);
    expect((await reads()) - before).toBe(1);
  });

  it('the right to make an entry is kept, and given back, also when the time of the request is over', async () => {
    const [mine, others] = [await opened({ lockMs: 900 }), await opened({ lockMs: 900 })];
    const key = keyOf();
    const request = { deadline: performance.now() + 300 };
    const claim = await runInContext(request, async () => mine.claim?.(key));
    // Longer than it lasts by itself.
    await sleep(1_200);
    expect(await others.claim?.(key)).toMatchObject({ isMine: false });
    runInContext(request, () => claim?.release());
    let next: Claim | undefined;
    // At once, long before it would be over by itself.
    await eventually(async () => {
      next = await others.claim?.(key);
      return next?.isMine === true;
    }, 400);
    next?.release();
  });

  it('of these, all have it though the time of the first is over', async () => {
    const key = keyOf();
    await of('other').write(key, entryOf('x', { stamp: await stampOf(of('other')) }));
    const store = await opened();
    const first = runInContext({ deadline: performance.now() }, async () => store.read(key));
    expect((await store.read(key))?.body.toString()).toBe('x');
    await first;
  });

  it('the local tier holds the bytes of its entries, and not all that arrived with them', async () => {
    const tier = await opened();
    const key = keyOf();
    await of('shared').write(key, entryOf('short', { stamp: await stampOf(of('shared')) }));
    await eventually(() => !(tier.read(key) instanceof Promise));
    expect((tier.read(key) as Entry).body.buffer.byteLength).toBe('short'.length);
  });

  it('a stale answer that a 304 renews is asked for once by many', async () => {
    const { now, pass } = clock();
    const handler = counting((req, res, next) => {
      res.set({ 'cache-control': 'max-age=10', etag: '"a"' });
      if (req.headers['if-none-match'] === undefined) return next();
      setTimeout(() => res.status(304).end(), 50);
    });
    const url = await serving(cache({ store: of('shared'), now }), handler);
    await get(`${url}/renewed`);
    pass(11);
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(`${url}/renewed`)));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['answer 1']));
    expect(handler.calls()).toBe(2);
  });

  it('local tiers hear of what others invalidate, remove and replace', async () => {
    const [one, two] = [await opened(), await opened()];
    const [tagged, removed] = [keyOf(), keyOf()];
    await one.write(tagged, entryOf('x', { tags: ['heard'], stamp: await stampOf(one) }));
    await one.write(removed, entryOf('x', { stamp: await stampOf(one) }));
    // Until it is there, and asked no more.
    for (const key of [tagged, removed]) await eventually(() => !(two.read(key) instanceof Promise));
    await one.invalidate({ tag: 'heard' });
    await one.remove(removed);
    for (const key of [tagged, removed]) await eventually(async () => (await two.read(key)) === undefined);
  });

  it('what one process removes does not come back by another that has not heard of it yet', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const listeners = async (): Promise<number> =>
      Number((await client.pubsub('NUMSUB', 'signalbox:cache:messages'))[1]);
    const before = await listeners();
    const late = await opened({ local: false }, proxy.port);
    const key = keyOf();
    await eventually(async () => (await listeners()) > before);
    const stamp = await stampOf(late);
    // What is said to it comes later, yet before its link gives Redis up; what it says does not.
    await proxy.delay(80);
    await of('shared').remove(key);
    const kept = late.write(key, entryOf('old', { tookMs: 1_000, stamp }));
    expect(kept).toBeInstanceOf(Promise);
    await kept;
    await eventually(async () => (await of('shared').read(key)) === undefined);
    await proxy.stop();
  });

  it('what one process removes does not come back by another that could not hear of it', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const listeners = async (): Promise<number> =>
      Number((await client.pubsub('NUMSUB', 'signalbox:cache:messages'))[1]);
    const before = await listeners();
    const cut = await opened({ local: false }, proxy.port);
    await eventually(async () => (await listeners()) > before);
    const key = keyOf();
    await of('shared').invalidate({ tag: 'heard' });
    await eventually(() => cut.stamp === of('shared').stamp);
    const old = entryOf('old', { tookMs: 60_000, stamp: cut.stamp });
    await proxy.refuse();
    await eventually(async () => (await listeners()) === before);
    await of('shared').remove(key);
    await proxy.pass();
    // As soon as it has heard that there was a gap.
    await eventually(() => cut.write(key, old) === undefined);
  });

  it('a process that heard nothing finds out at the next read', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    const deaf = await opened({ local: false }, proxy.port);
    const key = keyOf();
    await of('shared').write(key, entryOf('x', { tags: ['unheard'], stamp: await stampOf(of('shared')) }));
    await eventually(async () => (await deaf.read(key)) !== undefined);
    deaf.close();
    await of('shared').invalidate({ tag: 'unheard' });
    expect(await deaf.read(key)).toBeUndefined();
    await proxy.stop();
  });

  it('a process that heard nothing finds out also where it is the next to invalidate', async () => {
    const deaf = await opened({ local: false });
    const key = keyOf();
    await of('shared').write(key, entryOf('x', { tags: ['missed'], stamp: await stampOf(of('shared')) }));
    expect(await deaf.read(key)).toBeDefined();
    deaf.close();
    await of('shared').invalidate({ tag: 'missed' });
    await deaf.invalidate({ tag: 'something else' });
    expect(await deaf.read(key)).toBeUndefined();
  });

  it('a process that starts finds out what was invalidated before, whatever it hears first', async () => {
    const key = keyOf();
    await of('shared').write(key, entryOf('x', { tags: ['before'], stamp: await stampOf(of('shared')) }));
    await of('shared').invalidate({ tag: 'before' });
    const started = await opened({ local: false });
    await eventually(async () => {
      await of('shared').invalidate({ tag: 'something else' });
      return started.stamp > 0;
    });
    expect(await started.read(key)).toBeUndefined();
  });

  it('a process that starts learns all that was invalidated since very much was, in whatever order it is told', async () => {
    const tags = (count: number, name: string): string[] =>
      Array.from({ length: count }, (_, each) => `${name} ${each}`);
    // More than Redis keeps apart.
    for (let times = 0; times < 3; times += 1)
      await of('shared').invalidate({ tag: tags(4_000, `many ${times}`) });
    await of('shared').invalidate({ tag: 'and one more' });
    const stamp = await stampOf(of('shared'));
    const later = tags(600, 'later');
    const keys = later.map(() => keyOf());
    for (const [each, key] of keys.entries()) {
      await of('shared').write(key, entryOf('x', { stamp, tags: [later[each] ?? ''] }));
    }
    await of('shared').invalidate({ tag: later });
    const started = await opened({ local: false });
    let found = 0;
    for (const key of keys) if ((await started.read(key)) !== undefined) found += 1;
    expect(found).toBe(0);
  });

  it('forgets 100 000 entries of a tag with one command', async () => {
    const key = keyOf();
    const stamp = await stampOf(of('shared'));
    const name = 'bulk:/x:';
    const bytes = encode('unused', entryOf('x', { tags: ['bulk'], stamp }));
    const pipeline = client.pipeline();
    for (let each = 0; each < 100_000; each += 1) pipeline.set(name + String(each), bytes, 'PX', 60_000);
    await pipeline.exec();
    await of('shared').write(key, entryOf('x', { tags: ['bulk'], stamp }));
    const count = async (): Promise<number> =>
      Number(/total_commands_processed:(\d+)/.exec(await redis.command('info', 'stats'))?.[1]);
    const before = await count();
    await of('shared').invalidate({ tag: 'bulk' });
    // The script with what it calls, messages, and the two questions themselves.
    expect((await count()) - before).toBeLessThan(30);
    expect(await of('shared').read(key)).toBeUndefined();
  });

  it('frees what a prefix names with SCAN and UNLINK, and asks no KEYS', async () => {
    const store = await opened({ prefix: 'sweep:' });
    const stamp = await stampOf(store);
    for (let each = 0; each < 600; each += 1) {
      void store.write(keyOf('/a/x'), entryOf('x', { path: '/a/x', stamp }));
    }
    await store.write(keyOf('/b'), entryOf('x', { path: '/b', stamp }));
    await store.invalidate({ prefix: '/a' });
    const left = await client.keys('sweep:/*');
    expect(left).toHaveLength(1);
    const stats = await redis.command('info', 'commandstats');
    expect(stats).toContain('cmdstat_unlink');
    expect(stats).toContain('cmdstat_scan');
  });

  it('frees all entries, and still knows that it did', async () => {
    const key = keyOf();
    await of('shared').write(key, entryOf('x', { stamp: await stampOf(of('shared')) }));
    await of('shared').invalidate({ pattern: '*' });
    const left = await client.keys('signalbox:cache:*');
    expect(left.toSorted()).toEqual(['signalbox:cache:{ledger}', 'signalbox:cache:{ledger}:stamp']);
  });

  it('lost all it knew: processes from before and after that still share their entries', async () => {
    const before = of('shared');
    await before.invalidate({ tag: 'known' });
    await client.flushall();
    const after = await opened({ local: false });
    const key = keyOf();
    await eventually(async () => {
      await after.write(key, entryOf('x', { tags: ['known'], stamp: await stampOf(after) }));
      return (await before.read(key)) !== undefined;
    });
  });

  it('a full Redis that has thrown away what was invalidated takes no process its hits, and brings back nothing', async () => {
    const options = { local: false, prefix: 'evicting:' };
    const before = await opened(options);
    const [dead, dead2] = [keyOf(), keyOf()];
    const old = { tags: ['known'], stamp: await stampOf(before) };
    await Promise.all([before.write(dead, entryOf('x', old)), before.write(dead2, entryOf('x', old))]);
    await before.invalidate({ tag: 'known' });
    const evict = (): Promise<number> => client.del('evicting:{ledger}');

    expect(await evict()).toBe(1);
    const started = await opened(options);
    const key = keyOf();
    await eventually(async () => {
      await started.write(key, entryOf('x', { stamp: await stampOf(started) }));
      return (await started.read(key)) !== undefined;
    });
    expect(await started.read(dead)).toBeUndefined();

    expect(await evict()).toBe(1);
    await before.invalidate({ tag: 'something else' });
    expect(await (await opened(options)).read(dead2)).toBeUndefined();
  });

  it('what is cut, changed or somebody else’s is a miss', async () => {
    const key = keyOf();
    await of('shared').write(key, entryOf('a body', { stamp: await stampOf(of('shared')) }));
    const [name = ''] = await client.keys(`signalbox:cache:/items:*`).then(async (names) => {
      const values = await Promise.all(names.map((each) => client.getBuffer(each)));
      return names.filter((_each, index) => values[index]?.includes('a body'));
    });
    const bytes = (await client.getBuffer(name)) ?? Buffer.alloc(0);
    expect(await of('shared').read(key)).toBeDefined();
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    const other = encode('another key', entryOf('a body'));
    for (const wrong of ['', 'foreign', '{}', bytes.subarray(0, -1), bytes.subarray(0, 9), flipped, other]) {
      await client.set(name, wrong, 'PX', 60_000);
      expect(await of('shared').read(key)).toBeUndefined();
    }
    await client.del(name);
    await client.hset(name, 'a', 'hash');
    expect(await of('shared').read(key)).toBeUndefined();
    await client.del(name);
  });

  it('no changed byte goes unnoticed', () => {
    const bytes = encode('k', entryOf('some body or other, of a few words'));
    expect(decode('k', bytes)).toBeDefined();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const wrong = Buffer.from(bytes);
        wrong[at] = (wrong[at] ?? 0) ^ change;
        expect(decode('k', wrong)).toBeUndefined();
      }),
    );
  });

  it.each([
    [{ prefix: 'a{b}' }, 'redisStore: "prefix" must be text without braces, got "a{b}"'],
    [
      { secrets: 'short' },
      'redisStore: "secrets" must be of at least 32 bytes each, got text of 5 characters',
    ],
    [{ secrets: [] }, 'redisStore: "secrets" must be one secret at least, got an array'],
    [
      { local: { size: 1 } },
      'redisStore: "local": "size" is not an option; there are maxBytes, maxEntries, ttlMs',
    ],
    [{ local: { ttlMs: 0 } }, 'redisStore: "local.ttlMs" must be an integer from 1 to 2147483647, got 0'],
    [{ lockMs: 1 }, 'redisStore: "lockMs" must be an integer from 100 to 2147483647, got 1'],
  ])('refuses %o', (options, message) => {
    expect(() => redisStore(client, options as never)).toThrow(message);
  });

  it('refuses what is no client', () => {
    expect(() => redisStore('redis://127.0.0.1' as never)).toThrow('redisLink: "source" must be');
  });
});
