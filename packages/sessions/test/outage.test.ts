import { connectRedis } from '@signalbox/redis';
import { assertNeverHangs, listen, redisWithFaults, type RedisWithFaults } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { memoryStore, redisStore, type RedisSource, type SessionStore } from '../src/index.js';
import { appWith, listening, send, withErrors, type Answer } from './support.js';

/** A generous bound on what takes 100 ms and a bit, on a machine that is busy. */
const DEADLINE_MS = 1_000;

async function serve(source: RedisSource): Promise<string> {
  return listen(withErrors(appWith({ store: redisStore(source) }).app));
}

const within = (ask: () => Promise<Answer>): Promise<Answer> =>
  assertNeverHangs(ask, { withinMs: DEADLINE_MS });

/** What every request gets while the store is gone. */
async function expectOutage(url: string, cookie: string | undefined): Promise<void> {
  const me = await within(() => send('GET', `${url}/me`, { cookie }));
  expect([me.status, me.body['session'], me.headers['set-cookie']]).toEqual([200, null, undefined]);

  const required = await within(() => send('GET', `${url}/required`, { cookie }));
  expect([required.status, required.body.error?.type]).toEqual([503, 'session_store_unavailable']);
  expect(required.headers['retry-after']).toBe('1');

  for (const path of ['/in/bob', '/out']) {
    const answer = await within(() => send('POST', url + path, { cookie }));
    expect([path, answer.status, answer.body.error?.type]).toEqual([path, 503, 'session_store_unavailable']);
    expect(answer.cookie).toBe(undefined);
  }
  const write = await within(() => send('POST', `${url}/count`));
  expect([write.status, write.body.error?.type]).toEqual([503, 'session_store_unavailable']);
  expect(write.headers['set-cookie']).toBe(undefined);

  expect((await within(() => send('GET', `${url}/required`))).status).toBe(401);
  expect((await within(() => send('GET', `${url}/plain`))).status).toBe(200);
}

const FAULTS: readonly [
  name: string,
  fault: (redis: RedisWithFaults) => Promise<void>,
  keepsData: boolean,
][] = [
  ['stopped', (redis) => redis.stop(), true],
  ['killed', (redis) => redis.kill(), false],
  ['slow', (redis) => redis.slow(400), true],
  ['cut off', (redis) => redis.partition(), true],
  ['blackholed', (redis) => redis.blackhole(), true],
  ['refusing', (redis) => redis.refuse(), true],
];

describe('while Redis is gone', () => {
  it.each(FAULTS)(
    '%s, nobody hangs, nobody is signed out, and it ends by itself',
    async (_name, fault, keepsData) => {
      const redis = await redisWithFaults();
      const { features } = listening();
      const url = await serve(await connectedClient(redis.url));
      const { cookie } = await send('POST', `${url}/in/alice`);

      await fault(redis);
      await expectOutage(url, cookie);
      await redis.heal();
      const status = keepsData ? 200 : 401;
      await eventually(async () => (await send('GET', `${url}/required`, { cookie })).status === status);
      await eventually(async () => (await send('POST', `${url}/count`)).status === 200);
      await eventually(() => features.at(-1)?.degraded === false);
      expect(features[0]).toMatchObject({ feature: 'sessions', degraded: true, policy: 'unavailable' });
    },
  );

  it.each([
    ['full', (redis: RedisWithFaults) => redis.full()],
    ['read-only', (redis: RedisWithFaults) => redis.readOnly()],
  ])('%s, writes are 503 before anything is sent', async (_name, fault) => {
    const redis = await redisWithFaults();
    const url = await serve(await connectedClient(redis.url));
    await send('POST', `${url}/in/alice`);
    await fault(redis);
    const answer = await within(() => send('POST', `${url}/count`));
    expect([answer.status, answer.headers['set-cookie']]).toEqual([503, undefined]);
    await redis.heal();
    await eventually(async () => (await send('POST', `${url}/count`)).status === 200);
  });

  it('from the start, the app starts all the same', async () => {
    const redis = await redisWithFaults();
    await redis.kill();
    const link = connectRedis(redis.url);
    onTestFinished(() => link.close());
    const url = await serve(link);
    const write = await within(() => send('POST', `${url}/count`));
    expect(write.status).toBe(503);
    await redis.heal();
    await eventually(async () => (await send('POST', `${url}/count`)).status === 200);
  });
});

describe('a store of the app’s own', () => {
  /** Whose methods, while it is stuck, answer nothing; `broken` ones throw at once. */
  function ownStore(): { store: SessionStore; is: 'well' | 'stuck' | 'broken' } {
    const inner = memoryStore();
    const own = { is: 'well' as 'well' | 'stuck' | 'broken', store: { probe: async () => {}, ...inner } };
    for (const [name, method] of Object.entries(own.store)) {
      const stuck = new Promise<never>(() => {});
      Object.assign(own.store, {
        [name](...args: never[]): unknown {
          if (own.is === 'broken') throw new Error('the store is broken');
          return own.is === 'stuck' ? stuck : Reflect.apply(method, inner, args);
        },
      });
    }
    return own;
  }

  it.each(['stuck', 'broken'] as const)(
    'that is %s holds no request for longer than its time',
    async (how) => {
      const own = ownStore();
      const { features } = listening();
      const { app, session } = appWith({ store: own.store, storeTimeoutMs: 30 });
      app.delete('/sessions', async (_req, res) => res.json(await session.signOutEverywhere('alice')));
      const url = await listen(withErrors(app));
      const { cookie } = await send('POST', `${url}/in/alice`);

      own.is = how;
      await expectOutage(url, cookie);
      const all = await within(() => send('DELETE', `${url}/sessions`));
      expect([all.status, all.body.error?.type]).toEqual([503, 'session_store_unavailable']);
      await expect(session.sessionsOf('alice')).rejects.toThrow('The session store does not answer');
      own.is = 'well';
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
      await eventually(() => features.at(-1)?.degraded === false);
    },
  );

  it('that is stuck while a response waits for it is answered 503', async () => {
    const own = ownStore();
    const { app } = appWith({ store: own.store, storeTimeoutMs: 30 });
    app.get('/stuck', (req, res) => {
      own.is = 'stuck';
      req.session.count = 1;
      res.json({});
    });
    const url = await listen(withErrors(app));
    const { cookie } = await send('POST', `${url}/in/alice`);
    for (const each of [undefined, cookie]) {
      own.is = 'well';
      const answer = await within(() => send('GET', `${url}/stuck`, { cookie: each }));
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    }
  });
});
