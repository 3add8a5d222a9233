import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { emitterOn, linkTo } from './fleet.js';
import { startNode, visit, type Node } from './nodes.js';

let redis: RedisCluster;
let nodes: readonly Node[] = [];
beforeAll(async () => {
  redis = await startRedisCluster();
  nodes = await Promise.all(redis.nodes.slice(0, 3).map(({ port }) => startNode(port)));
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await redis.stop();
});

const numbers = Array.from({ length: 50 }, (_each, index) => index);

describe('on a Redis Cluster', { timeout: 60_000 }, () => {
  async function hearing(queue: object | undefined): Promise<readonly (readonly unknown[])[]> {
    const visitors = await Promise.all(nodes.map((node) => visit(node, { rooms: ['r'] })));
    const link = linkTo(redis, 2_000);
    // Else the first may wait in the queue for the connection.
    await eventually(() => link.state === 'up');
    const emitter = emitterOn(link, { queue, deadlineMs: 5_000 });
    for (const n of numbers) expect(await emitter.emit('r', 'n', n)).toMatchObject({ outcome: 'ok' });
    return Promise.all(visitors.map((visitor) => visitor.hears(numbers.length)));
  }

  it('events reach the servers at every node of it', async () => {
    for (const heard of await hearing(undefined)) expect(new Set(heard)).toEqual(new Set(numbers));
  });

  it('with a queue, they also keep their order, since all go through one node', async () => {
    for (const heard of await hearing({})) expect(heard).toEqual(numbers);
  });
});
