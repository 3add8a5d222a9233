import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import { redisTokenStore, revocationBus, type RevocationEvent } from '../src/index.js';
import { refusalOf, tokensWith } from './token-support.js';

let servers: RedisCluster;
let client: Cluster;

beforeAll(async () => {
  servers = await startRedisCluster();
  client = new Cluster(servers.nodes.map(({ host, port }) => ({ host, port })));
  const store = redisTokenStore(client);
  // Until the client is connected to all of them.
  await eventually(async () => {
    const opened = Array.from({ length: 50 }, (_each, index) => store.open(`warm ${index}`, 'x', 'x', 1_000));
    return (await Promise.allSettled(opened)).every(({ status }) => status === 'fulfilled');
  }, 10_000);
});
afterAll(async () => {
  client.disconnect();
  await servers.stop();
});

describe('on a Redis Cluster', () => {
  it('each step is one command, wherever the keys of a subject are', async () => {
    const bus = revocationBus({ redis: client });
    const events: RevocationEvent[] = [];
    bus.on((event) => void events.push(event));
    const auth = tokensWith({ store: redisTokenStore(client), bus, graceMs: 0 });
    for (let index = 0; index < 12; index++) {
      const subject = `user ${index}`;
      const [first, second] = [await auth.issue(subject), await auth.issue(subject)];
      const next = await auth.refresh(first.refreshToken);
      expect((await auth.verify(next.accessToken)).subject).toBe(subject);
      expect((await refusalOf(() => auth.refresh(first.refreshToken))).code).toBe('token_reused');
      await auth.revoke(second.refreshToken);
      expect((await refusalOf(() => auth.verify(second.accessToken))).code).toBe('token_revoked');
      await auth.revokeAll(subject);
      expect((await auth.verify((await auth.issue(subject)).accessToken)).subject).toBe(subject);
    }
    expect(events).toHaveLength(36);
    bus.close();
  });
});
