import { connectRedis, type RedisLink } from '@signalbox/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import { redisUsageStore } from '../src/index.js';

let servers: RedisCluster;
let link: RedisLink;
beforeAll(async () => {
  servers = await startRedisCluster();
  link = connectRedis(servers.url);
  await eventually(() => link.state === 'up');
});
afterAll(async () => {
  await link.close();
  await servers.stop();
});

describe('on a Redis Cluster', () => {
  it('counts of several days are one script, and are read again', async () => {
    const store = redisUsageStore(link);
    const now = Date.now();
    const counts = [0, 1, 2].map((days) => ({
      version: 'v1',
      consumer: `c${days}`,
      route: '/api/v1/search',
      calls: days + 1,
      firstSeenMs: now - days * 86_400_000,
      lastSeenMs: now - days * 86_400_000,
    }));
    // The client may not yet be connected to all servers.
    await eventually(async () => {
      try {
        await store.add({ id: 'one', counts });
        return true;
      } catch {
        return false;
      }
    });
    const rows = await store.read();
    expect(rows.toSorted((one, other) => one.calls - other.calls)).toEqual(counts);
  });
});
