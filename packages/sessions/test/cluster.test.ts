import { listen } from '@signalbox/testing';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../../test/support/redis-cluster.js';
import { eventually } from '../../../test/support/eventually.js';
import { redisStore } from '../src/index.js';
import { appWith, send, withErrors } from './support.js';

let servers: RedisCluster;
let client: Cluster;
beforeAll(async () => {
  servers = await startRedisCluster();
  client = new Cluster(servers.nodes.map(({ host, port }) => ({ host, port })));
  // Until the client is connected to all of them.
  const store = redisStore(client);
  await eventually(async () => {
    const places = Array.from({ length: 50 }, (_each, index) => ({ tag: `warm${index}`, handle: 'x' }));
    const reads = await Promise.allSettled(places.map(async (place) => store.read(place, 1_000)));
    return reads.every(({ status }) => status === 'fulfilled');
  }, 10_000);
});
afterAll(async () => {
  client.disconnect();
  await servers.stop();
});

describe('on a Redis Cluster', () => {
  it('sessions begin, change, are listed and end, wherever their keys are', async () => {
    const { app, session } = appWith({ store: redisStore(client), maxPerUser: 2 });
    const url = await listen(withErrors(app));
    for (let user = 0; user < 12; user++) {
      const name = `user-${user}`;
      const guest = await send('POST', `${url}/count`);
      const one = await send('POST', `${url}/in/${name}`, { cookie: guest.cookie });
      const two = await send('POST', `${url}/in/${name}`);
      const three = await send('POST', `${url}/in/${name}`);
      await send('POST', `${url}/count`, { cookie: two.cookie });
      expect((await send('GET', `${url}/read`, { cookie: two.cookie })).body).toEqual({ count: 1 });
      expect((await send('GET', `${url}/required`, { cookie: three.cookie })).status).toBe(200);
      const listed = await session.sessionsOf(name);
      expect(listed).toHaveLength(2);
      await send('POST', `${url}/out`, { cookie: three.cookie });
      expect(await session.signOutEverywhere(name)).toBeLessThanOrEqual(1);
      for (const { cookie } of [one, two, three]) {
        expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
      }
    }
  });

  it('fifty parallel changes of one key are fifty', async () => {
    const { app, session } = appWith({ store: redisStore(client) });
    app.post('/increment', async (req, res) => {
      await session.change<number>(req, 'count', (before = 0) => before + 1);
      res.json({});
    });
    const url = await listen(withErrors(app));
    const { cookie } = await send('POST', `${url}/in/counter`);
    await Promise.all(Array.from({ length: 50 }, () => send('POST', `${url}/increment`, { cookie })));
    expect((await send('GET', `${url}/read`, { cookie })).body).toEqual({ count: 50 });
  });
});
