import { setTimeout as wait } from 'node:timers/promises';
import { deadline, requestContext } from '@signalbox/context';
import { errorHandler } from '@signalbox/errors';
import { redisLink } from '@signalbox/redis';
import { listen } from '@signalbox/testing';
import express from 'express';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { heardFeature } from '../../../test/support/heard.js';
import { idempotency, redisIdempotencyStore, type IdempotencyOptions } from '../src/index.js';
import { itKeepsTheIdempotencyContract } from './idempotency-store-contract.js';

const SECRET = 'a secret of at least thirty-two bytes';

let server: RedisServer;
let proxy: FaultProxy;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startFaultProxy({ to: server.port });
  client = new Redis(proxy.port, proxy.host);
  client.on('error', () => undefined);
});
beforeEach(() => isUp());
afterAll(async () => {
  client.disconnect();
  await proxy.stop();
  await server.stop();
});

async function isUp(): Promise<void> {
  await vi.waitFor(() => expect(redisLink(client).state).toBe('up'), { timeout: 10_000 });
}

describe('redisIdempotencyStore', () => {
  itKeepsTheIdempotencyContract(
    () => redisIdempotencyStore(client),
    (ms) => wait(ms),
  );

  it('keeps nothing without an expiry, under hashes alone', async () => {
    const { url } = await startApp();
    await pay(url, 'key-of-mine');

    const keys = (await server.command('KEYS', 'signalbox:idempotency:*')).split('\n');
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(Number(await server.command('PTTL', key))).toBeGreaterThan(0);
      expect(key).not.toContain('key-of-mine');
    }
  });

  it('works after the scripts were flushed', async () => {
    const { url } = await startApp();
    await pay(url, 'before');
    await server.command('SCRIPT', 'FLUSH');

    expect((await pay(url, 'after')).status).toBe(201);
    expect((await pay(url, 'after')).headers.get('idempotency-replayed')).toBe('true');
  });

  it('has the answer for whoever asks next, also where Redis has never seen the script', async () => {
    const store = redisIdempotencyStore(client);
    const claim = { fingerprint: 'f', holder: 'one', lockSeconds: 60 };
    await store.begin('first', claim);
    await server.command('SCRIPT', 'FLUSH');
    await store.begin('next', claim);

    const finished = store.finish('first', 'one', 'the answer', 60);
    expect(await store.begin('first', { ...claim, holder: 'two' })).toMatchObject({ state: 'done' });
    expect(await finished).toBe(true);
  });

  it('shares keys between processes that share the secret', async () => {
    const [one, two] = [await startApp(), await startApp()];
    await pay(one.url, 'shared');

    expect((await pay(two.url, 'shared')).headers.get('idempotency-replayed')).toBe('true');
    expect(two.runs()).toBe(0);
  });

  it('asks once a request, and once more to keep the answer', async () => {
    const { url } = await startApp();
    await pay(url, 'warm');
    proxy.resetCounts();
    await pay(url, 'counted');

    expect(proxy.counts.roundTrips).toBeLessThanOrEqual(2);
  });

  it('takes a prefix', async () => {
    const store = redisIdempotencyStore(client, { prefix: 'mine:' });
    await store.begin('id', { holder: 'h', fingerprint: 'f', lockSeconds: 5 });

    expect(await server.command('EXISTS', 'mine:id')).toBe('1');
  });

  it('needs a secret that all processes know', () => {
    expect(() => idempotency({ store: redisIdempotencyStore(client) })).toThrow(
      new TypeError('idempotency: "secrets" must be given where processes share the store'),
    );
  });

  it.each([
    [{ prefix: 7 }, '"prefix" must be a string, got 7'],
    [{ prefx: '' }, '"prefx" is not an option; did you mean "prefix"?'],
  ])('refuses %j', (options, message) => {
    expect(() => redisIdempotencyStore(client, options as never)).toThrow(
      new TypeError(`redisIdempotencyStore: ${message}`),
    );
  });
});

describe('idempotency with Redis gone', () => {
  it('refuses what carries a key with 503, within its deadline, and recovers by itself', async () => {
    const states = heardFeature('idempotency');
    const { url, runs } = await startApp();
    await proxy.partition();
    const before = performance.now();
    const refused = await pay(url, 'gone');

    expect(performance.now() - before).toBeLessThan(2_000);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ error: { type: 'idempotency_unavailable' } });
    expect(runs()).toBe(0);
    expect((await pay(url, undefined)).status).toBe(201);

    await proxy.pass();
    await expect.poll(async () => (await pay(url, 'back')).status, { timeout: 10_000 }).toBe(201);
    expect(states).toEqual([
      {
        feature: 'idempotency',
        degraded: true,
        policy: 'closed',
        reason: expect.stringMatching(/^its store does not answer: redis "redis"/) as string,
      },
      { feature: 'idempotency', degraded: false, policy: 'closed', reason: 'it works again' },
    ]);
  });

  it('is not called so by a request that has no time left to ask', async () => {
    const states = heardFeature('idempotency');
    const app = express();
    app.use(requestContext(), deadline(20), (_req, _res, next) => {
      // A stall of the process, in which no timer fires.
      const until = performance.now() + 30;
      while (performance.now() < until);
      next();
    });
    app.post('/payments', idempotency({ store: redisIdempotencyStore(client), secrets: SECRET }));
    app.use(errorHandler());
    expect((await pay(await listen(app), 'stalled')).status).toBe(503);
    expect(states).toEqual([]);
  });

  it('runs without protection where it is told to', async () => {
    const { url, runs } = await startApp({ onStoreDown: 'open' });
    await proxy.refuse();

    expect((await pay(url, 'open')).status).toBe(201);
    expect((await pay(url, 'open')).status).toBe(201);
    expect(runs()).toBe(2);
    await proxy.pass();
  });

  it('keeps the answer once Redis is back, where it went away in between', async () => {
    let paid = 0;
    const { url } = await startApp({}, async () => {
      paid += 1;
      await proxy.reset();
    });
    expect((await pay(url, 'interrupted')).status).toBe(201);
    await proxy.pass();

    await expect
      .poll(async () => (await pay(url, 'interrupted')).headers.get('idempotency-replayed'), {
        timeout: 10_000,
      })
      .toBe('true');
    expect(paid).toBe(1);
  });
});

async function startApp(
  options: Partial<IdempotencyOptions> = {},
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<{ url: string; runs: () => number }> {
  let runs = 0;
  const app = express();
  app.use(express.json());
  app.post(
    '/payments',
    idempotency({ store: redisIdempotencyStore(client), secrets: SECRET, ...options }),
    async (_req, res) => {
      runs += 1;
      await meanwhile();
      res.status(201).json({ run: runs });
    },
  );
  app.use(errorHandler());
  return { url: await listen(app), runs: () => runs };
}

async function pay(url: string, key: string | undefined): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', ...(key && { 'Idempotency-Key': key }) };
  return fetch(`${url}/payments`, { method: 'POST', headers, body: '{"amount":5}' });
}
