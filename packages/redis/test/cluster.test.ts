import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis-5';
import { describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import type { RedisServer } from '../../../test/support/redis.js';
import { connectRedis, type RedisLink } from '../src/index.js';
import { errorOf, isIn, recovery, stageOf, type Stage } from './stage.js';

/** Of all three primaries. */
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const addresses = (cluster: RedisCluster): { host: string; port: number }[] =>
  cluster.nodes.map(({ host, port }) => ({ host, port }));

const kinds: { kind: string; open: (cluster: RedisCluster, stage: Stage) => RedisLink }[] = [
  { kind: 'its own client', open: (cluster) => connectRedis(cluster.url) },
  {
    kind: "a user's client",
    open: (cluster, stage) => connectRedis(stage.ending(new Cluster(addresses(cluster)))),
  },
  {
    kind: "a user's client of ioredis 5",
    open: (cluster, stage) => connectRedis(stage.ending(new Cluster5(addresses(cluster)))),
  },
];

async function startCluster(context: {
  onTestFinished(fn: () => Promise<void>): void;
}): Promise<RedisCluster> {
  const cluster = await startRedisCluster();
  context.onTestFinished(() => cluster.stop());
  // A replica that never had the data does not stand for election.
  await eventually(async () => {
    const infos = await Promise.all(
      cluster.nodes.slice(3).map((node) => node.command('info', 'replication')),
    );
    return infos.every((info) => info.includes('master_link_status:up'));
  }, 20_000);
  return cluster;
}

const LONG = { timeout: 90_000 };

describe('a link to a cluster', () => {
  it.concurrent('is up when one of the hosts that are named has no address', LONG, async (context) => {
    const cluster = await startCluster(context);
    const link = stageOf(context).closing(
      connectRedis(`redis+cluster://gone.invalid,127.0.0.1:${cluster.nodes[0]?.port ?? 0}`),
    );
    await isIn(link, 'up');
    await expectToWork(link);
  });

  it.concurrent(
    'is up when the host that is named is none that the cluster itself names',
    LONG,
    async (context) => {
      const stage = stageOf(context);
      const cluster = await startCluster(context);
      const proxy = await stage.proxy({ port: cluster.nodes[0]?.port ?? 0 });
      const link = stage.closing(connectRedis(`redis+cluster://${proxy.address}`));
      await isIn(link, 'up');
      await expectToWork(link);
    },
  );

  it.concurrent.for(kinds)(
    'of $kind works on every server, and survives the loss of each',
    LONG,
    async ({ open }, context) => {
      const stage = stageOf(context);
      const cluster = await startCluster(context);
      const link = stage.closing(open(cluster, stage));
      await isIn(link, 'up');
      expect(link.cluster).toBe(true);

      await expectToWork(link);
      await expectSubscriptionsToWork(link);
      await expectToSurvive(link, stage, () => cluster.nodes[0]?.kill());
      await expectToSurvive(link, stage, () => cluster.nodes[1]?.pause());
      cluster.nodes[1]?.resume();

      await Promise.all(cluster.nodes.map((node) => node.kill()));
      await isIn(link, 'down');
      expect(await errorOf(link.command('get', 'a'))).toMatchObject({ status: 503 });
      expect(await link.check()).toMatchObject({ status: 'unhealthy' });
      await Promise.all(cluster.nodes.map((node) => node.restart()));
      for (const key of KEYS) await recovery(link, key, 20_000);
      await isIn(link, 'up');
    },
  );

  it.concurrent('hears what is told after the server that it listened at has left', LONG, async (context) => {
    const stage = stageOf(context);
    const cluster = await startCluster(context);
    const link = stage.closing(connectRedis(cluster.url));
    await isIn(link, 'up');
    const heard: string[] = [];
    let gaps = 0;
    link.subscribe('news', (message) => heard.push(message), { onGap: () => void (gaps += 1) });
    const left = await serverWithSubscriber(cluster);
    // As `redis-cli --cluster del-node` does it: the server itself goes on, and answers.
    await expectToLeave(cluster, left);
    const [other] = cluster.nodes.filter((node) => node !== left);
    await eventually(async () => {
      await other?.command('publish', 'news', 'hello');
      return heard.includes('hello');
    }, 20_000);
    expect(gaps).toBe(1);
  });
});

async function serverWithSubscriber({ nodes }: RedisCluster): Promise<RedisServer> {
  let found: RedisServer | undefined;
  await eventually(async () => {
    const lists = await Promise.all(nodes.map((node) => node.command('client', 'list', 'type', 'pubsub')));
    found = nodes[lists.findIndex((list) => list.trim() !== '')];
    return found !== undefined;
  });
  return found as RedisServer;
}

/** Its replica takes its place first. */
async function expectToLeave({ nodes }: RedisCluster, leaving: RedisServer): Promise<void> {
  const id = (await leaving.command('cluster', 'myid')).trim();
  const replica = (await leaving.command('cluster', 'nodes'))
    .split('\n')
    .find((line) => line.includes(' slave ') && line.includes(id));
  await nodes.find(({ port }) => replica?.includes(`:${port}@`))?.command('cluster', 'failover');
  await eventually(async () => (await leaving.command('role')).startsWith('slave'), 10_000);
  const others = nodes.filter((node) => node !== leaving);
  await Promise.all(others.map((node) => node.command('cluster', 'forget', id)));
  await leaving.command('cluster', 'reset', 'soft');
}

async function expectToWork(link: RedisLink): Promise<void> {
  for (const key of KEYS) await recovery(link, key);
  const both = link.script('both', "return {redis.call('GET', KEYS[1]), redis.call('INCR', KEYS[2])}");
  expect(await both(['{tag}1', '{tag}2'], [])).toEqual([null, 1]);
  const none = link.script('none', 'return ARGV[1]');
  expect(await Promise.all(KEYS.map((key) => none([], [key])))).toEqual(KEYS);
  expect(
    await link.sendCommand('EVALSHA', String(await link.sendCommand('SCRIPT', 'LOAD', 'return 7')), '0'),
  ).toBe(7);
  expect(await errorOf(both(['a', 'b'], []))).toMatchObject({ code: 'redis_error' });
  expect(await link.info()).toContain('cluster_enabled:1');
  expect(await link.check()).toMatchObject({
    status: 'healthy',
    details: {
      role: 'cluster',
      clusterState: 'ok',
      primaries: 3,
      usablePrimaries: 3,
      maxMemoryPolicy: 'noeviction',
    },
  });
}

async function expectSubscriptionsToWork(link: RedisLink): Promise<void> {
  const heard: string[] = [];
  const end = link.subscribe('news', (message) => heard.push(message));
  await eventually(async () => {
    await link.command('publish', 'news', 'hello');
    return heard.includes('hello');
  });
  end();
}

async function expectToSurvive(
  link: RedisLink,
  stage: Stage,
  fault: () => Promise<void> | void | undefined,
): Promise<void> {
  let sent = 0;
  const load = stage.load(link, () => link.command('incr', `n:${KEYS[sent++ % KEYS.length]}`));
  await fault();
  await eventually(() => load.failures.size > 0);
  for (const key of KEYS) await recovery(link, key, 20_000);
  await eventually(async () => (await link.check()).status === 'healthy');
  await load.stop();
  // ioredis' own retries wait for 100 ms, which is the deadline.
  expect(load.slowestMs).toBeLessThan(150 + 2 * load.slowestTickMs);
  expect([...load.failures.keys()].filter((key) => !/^(down|timeout|breaker|cluster)$/.test(key))).toEqual(
    [],
  );
}
