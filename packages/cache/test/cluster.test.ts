import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import { cache, redisStore, type CacheStore } from '../src/index.js';
import { counting, fields, get, serving } from './support.js';
import { entryOf, itKeepsTheStoreContract, keyOf, stampOf } from './store-contract.js';

let servers: RedisCluster;
let client: Cluster;
const stores: CacheStore[] = [];

beforeAll(async () => {
  servers = await startRedisCluster();
  client = new Cluster(servers.nodes.map(({ host, port }) => ({ host, port })));
  stores.push(redisStore(client, { local: false }), redisStore(client, { local: false }));
  // Until the client is connected to all of them.
  await eventually(async () => {
    const keys = Array.from({ length: 20 }, () => keyOf());
    for (const key of keys) await of(0).write(key, entryOf('x', { stamp: await stampOf(of(0)) }));
    for (const key of keys) if ((await of(0).read(key)) === undefined) return false;
    return true;
  }, 10_000);
});
afterAll(async () => {
  for (const store of stores) store.close();
  client.disconnect();
  await servers.stop();
});

function of(index: number): CacheStore {
  const store = stores[index];
  if (store === undefined) throw new Error('not yet');
  return store;
}

describe('redisStore on a Redis Cluster', () => {
  itKeepsTheStoreContract(
    () => of(0),
    () => of(1),
  );

  it('has the right to make an entry where the entry is: what is asked for in a row is done in a row', async () => {
    for (let times = 0; times < 20; times += 1) {
      const key = keyOf();
      await of(0).write(key, entryOf('x', { stamp: await stampOf(of(0)) }));
      const claim = await of(0).claim?.(key);
      expect(claim?.isMine).toBe(true);
      const held = (
        await Promise.all(client.nodes('master').map((node) => node.keys('signalbox:cache:*')))
      ).find((names) => names.some((name) => name.endsWith(':lock')));
      const lock = held?.find((name) => name.endsWith(':lock')) ?? '';
      const name = /\{(.+)\}/.exec(lock)?.[1];
      expect(held).toContain(name);
      claim?.release();
      await eventually(async () => (await client.exists(lock)) === 0);
    }
  });

  it('keeps and forgets answers, wherever their keys are', async () => {
    const route = cache({ store: of(0), ttlMs: 60_000, tags: ['all'] });
    const handler = counting(fields({ vary: 'Accept' }));
    const url = await serving(route, handler);
    const paths = Array.from({ length: 12 }, (_each, index) => `/${index}`);
    for (const path of paths) await get(url + path);
    for (const path of paths)
      await eventually(async () => (await get(url + path)).headers['age'] !== undefined);
    await route.invalidate({ tag: 'all' });
    const before = handler.calls();
    for (const path of paths) await get(url + path);
    expect(handler.calls()).toBe(before + paths.length);
  });
});
