import { signals } from '@signalbox/signals';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import { byHeader, rateLimit, redisStore, zones } from '../src/index.js';
import { get, listening, serving, statuses } from './support.js';

let servers: RedisCluster;
let client: Cluster;
beforeAll(async () => {
  servers = await startRedisCluster();
  client = new Cluster(servers.nodes.map(({ host, port }) => ({ host, port })));
  // Until the client is connected to all of them, and what was counted before that is over.
  let isDegraded = false;
  const end = signals.featureState.subscribe(({ feature, degraded }) => {
    if (feature === 'rate-limit') isDegraded = degraded;
  });
  const limits = zones({ store: redisStore(client), zones: { warm: '1000/m' } });
  await eventually(async () => {
    const taken = Array.from({ length: 50 }, (_each, index) => limits.take('warm', `10.0.0.${index}`));
    return (await Promise.all(taken)).every(({ source }) => source === 'store') && !isDegraded;
  }, 10_000);
  end();
});
afterAll(async () => {
  client.disconnect();
  await servers.stop();
});

describe('on a Redis Cluster', () => {
  it('several zones of one caller are one script, wherever its keys are', async () => {
    const { features } = listening();
    const limits = zones({
      store: redisStore(client),
      zones: {
        api: { rate: '3/h', key: byHeader('x-user') },
        search: { rate: '9/h burst 1', key: byHeader('x-user') },
      },
    });
    const url = await serving(limits.zone(['api', 'search']));
    for (let user = 0; user < 12; user++) {
      const as = () => get(url, { 'x-user': `user ${user}` });
      expect(await statuses(3, as)).toEqual([200, 200, 429]);
    }
    expect(features).toEqual([]);
  });

  it('limits of an account and an address are asked together, and taken back when one refuses', async () => {
    const limits = zones({
      store: redisStore(client),
      zones: {
        account: { rate: '2/h', key: byHeader('x-account') },
        device: { rate: '50/h', key: byHeader('x-device') },
        tried: { rate: '50/h sliding', key: byHeader('x-device') },
      },
    });
    const login = await serving(limits.zone(['account', 'device', 'tried']));
    const device = await serving(limits.zone(['device', 'tried']));
    for (let account = 0; account < 5; account++) {
      const headers = { 'x-account': `a${account}`, 'x-device': `d${account}` };
      // Refusals that are asked: those that are known would not be.
      await Promise.all(Array.from({ length: 30 }, () => get(login, headers)));
      await eventually(async () => {
        const fields = String((await get(device, headers)).headers['ratelimit']);
        const left = [...fields.matchAll(/r=(\d+)/g)].map(([, remaining]) => Number(remaining));
        return left.every((remaining) => remaining > 20);
      });
    }
  });

  it('failures are taken back on every server', async () => {
    const limits = zones({
      store: redisStore(client),
      zones: {
        login: { rate: '2/h', count: 'failures', key: [byHeader('x-account'), byHeader('x-device')] },
      },
    });
    const url = await serving(limits.zone('login'), (req, res) => {
      res.status(req.path === '/right' ? 200 : 401).end();
    });
    const headers = { 'x-account': 'alice', 'x-device': 'phone' };
    for (let times = 0; times < 10; times++) {
      await eventually(async () => (await get(`${url}/right`, headers)).status === 200, 2_000);
    }
    await eventually(
      async () => (await get(`${url}/right`, headers)).headers['ratelimit'] === '"login";r=1;t=3600',
    );
  });

  it('fixed windows are counted and reset', async () => {
    const url = await serving(rateLimit({ limit: 2, store: redisStore(client), key: byHeader('x-user') }));
    for (let user = 0; user < 6; user++) {
      expect(await statuses(3, () => get(url, { 'x-user': `u${user}` }))).toEqual([200, 200, 429]);
    }
    const limits = zones({ store: redisStore(client), zones: { once: '1/h' } });
    expect(await limits.take('once', '10.0.0.1')).toMatchObject({ allowed: true });
    await limits.reset('once', '10.0.0.1');
    expect(await limits.take('once', '10.0.0.1')).toMatchObject({ allowed: true });
  });

  it('goes on while a server is gone, and recovers when its replica takes over', async () => {
    const { features } = listening();
    const limits = zones({
      store: redisStore(client),
      zones: { api: { rate: '10000/h', key: byHeader('x-user') } },
    });
    const url = await serving(limits.zone('api'));
    const askAll = async (): Promise<number[]> =>
      Promise.all(
        Array.from(
          { length: 30 },
          async (_each, user) => (await get(url, { 'x-user': String(user) })).status,
        ),
      );
    await askAll();
    // A replica that has not yet copied its primary would not take its place.
    await eventually(async () => {
      const roles = await Promise.all(servers.nodes.map((node) => node.command('info', 'replication')));
      return roles.every((role) => !role.includes('role:slave') || role.includes('master_link_status:up'));
    }, 15_000);
    const first = servers.nodes[0];
    await first?.kill();
    expect(new Set(await askAll())).toEqual(new Set([200]));
    await eventually(() => features.at(-1)?.degraded === false, 15_000);
    await eventually(async () => {
      const before = features.length;
      await askAll();
      return features.length === before;
    }, 15_000);
  }, 40_000);
});
