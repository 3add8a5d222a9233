import { connectRedis } from '@signalbox/redis';
import { assertNeverHangs } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis } from '../../../test/support/redis.js';
import { eventually } from '../../../test/support/eventually.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { redisUsageStore, usageReport, versions, deprecated, type UsageReport } from '../src/index.js';
import { get, listening, routerOf, serving } from './support.js';
import { itKeepsTheUsageStoreContract } from './usage-store-contract.js';

const redis = sharedRedis();

/** An API whose first version is deprecated, for one test. */
function api(): Promise<string> {
  return serving(
    versions(
      {
        v1: [
          deprecated({ since: '2026-01-31', consumer: (req) => req.get('x-user') }),
          routerOf('v1', '/a', '/b'),
        ],
      },
      { default: 'v1' },
    ),
  );
}

async function called(usage: UsageReport): Promise<Record<string, number>> {
  const { rows } = await usage.report();
  return Object.fromEntries(rows.map(({ consumer, route, calls }) => [`${consumer} ${route}`, calls]));
}

describe('redisUsageStore', () => {
  itKeepsTheUsageStoreContract((name, options) =>
    redisUsageStore(redis.link, { prefix: `test:${name}:`, ...options }),
  );

  it('writes no key without an expiry, and under one hash tag', async () => {
    const keys = await redis.client.keys('test:*');
    expect(keys.length).toBeGreaterThan(20);
    for (const key of keys) {
      expect(key).toMatch(/^test:store\d+:\{usage\}:(day:\d{4}-\d{2}-\d{2}|batch:batch\d+\.\d+)$/);
      expect(await redis.client.pttl(key)).toBeGreaterThan(0);
    }
  });

  it('passes over what it has not written', async () => {
    const store = redisUsageStore(redis.link, { prefix: 'foreign:' });
    const key = `foreign:{usage}:day:${new Date().toISOString().slice(0, 10)}`;
    await redis.client.hset(key, {
      'no json': '1 2 3',
      '["v1","ann"]': '1 2 3',
      '["v1","ann","/a"]': 'x',
      '[1,2,3]': '1 2 3',
    });
    expect(await store.read()).toEqual([]);
    const now = Date.now();
    const count = {
      version: 'v1',
      consumer: 'ann',
      route: '/a',
      calls: 1,
      firstSeenMs: now,
      lastSeenMs: now,
    };
    await store.add({ id: 'over-foreign', counts: [count] });
    expect(await store.read()).toEqual([count]);
  });

  it('reads however many rows there are, and holds nobody else up', { timeout: 60_000 }, async () => {
    const rows = 20_000;
    const own = connectRedis(redis.server.url);
    await eventually(() => own.state === 'up');
    for (let day = 0; day < 8; day += 1) {
      const date = new Date(Date.now() - day * 86_400_000).toISOString().slice(0, 10);
      const fields = Array.from({ length: rows }, (_, row) => [
        JSON.stringify(['v1', `somebody-with-a-long-name-${row}`, '/api/v1/things/:id']),
        `1 ${Date.now()} ${Date.now()}`,
      ]);
      await redis.client.hset(`many:{usage}:day:${date}`, ...fields.flat());
    }
    const usage = usageReport({ store: redisUsageStore(own, { prefix: 'many:', maxRows: rows }) });
    // A busy machine may miss the deadline of one command once; all of them are never in time where they are too large.
    await eventually(async () => {
      const report = await usage.report();
      return report.complete && report.rows.length === rows && report.rows[0]?.calls === 8;
    }, 20_000);
    expect(own.state).toBe('up');
    await usage.close();
    await own.close();
  });

  it('keeps counts over restarts of a process, and adds up those of several', async () => {
    const url = await api();
    const open = () =>
      usageReport({ store: redisUsageStore(redis.link, { prefix: 'restart:' }), flushMs: 20 });
    const before = open();
    await get(`${url}/v1/a`, { 'x-user': 'ann' });
    await eventually(async () => (await called(before))['ann /api/v1/a'] === 1);
    await before.close();

    const after = open();
    expect(await called(after)).toEqual({ 'ann /api/v1/a': 1 });
    // A process beside it counts the same calls for itself: here they are added twice.
    const beside = open();
    await get(`${url}/v1/a`, { 'x-user': 'ann' });
    await eventually(async () => (await called(beside))['ann /api/v1/a'] === 3);
    expect(await called(after)).toEqual({ 'ann /api/v1/a': 3 });
    await Promise.all([after.close(), beside.close()]);
  });

  it('asks Redis nothing while requests are answered, and writes them as one batch', async () => {
    const proxy = await startFaultProxy({ to: redis.server.port });
    const own = connectRedis(`redis://127.0.0.1:${proxy.port}`);
    await eventually(() => own.state === 'up');
    const usage = usageReport({ store: redisUsageStore(own, { prefix: 'batch:' }), flushMs: 60_000 });
    const url = await api();
    await usage.flush();
    proxy.resetCounts();
    for (let times = 0; times < 20; times++) await get(`${url}/v1/a`, { 'x-user': `u${times}` });
    expect(proxy.counts.roundTrips).toBe(0);
    await usage.flush();
    // A script is sent by its digest first, and with its text where Redis does not know it.
    expect(proxy.counts.roundTrips).toBeLessThanOrEqual(2);
    expect(Object.keys(await called(usage))).toHaveLength(20);
    await usage.close();
    await own.close();
    await proxy.stop();
  });

  it('loses and doubles no count while Redis does not answer, and holds no request up', async () => {
    const { features } = listening();
    const own = connectRedis(redis.server.url);
    await eventually(() => own.state === 'up');
    const usage = usageReport({ store: redisUsageStore(own, { prefix: 'outage:' }), flushMs: 20 });
    const url = await api();
    await get(`${url}/v1/a`, { 'x-user': 'ann' });
    await eventually(async () => (await called(usage))['ann /api/v1/a'] === 1);

    redis.server.pause();
    // Written into a socket that nobody reads: what is done of it once Redis goes on is not known here.
    for (let times = 0; times < 5; times++) await get(`${url}/v1/a`, { 'x-user': 'ann' });
    await eventually(() => features.some(({ degraded }) => degraded));
    expect(features[0]).toMatchObject({ feature: 'version-usage', degraded: true, policy: 'local' });
    for (let times = 0; times < 5; times++) await get(`${url}/v1/b`, { 'x-user': 'bob' });
    await eventually(async () => (await called(usage))['bob /api/v1/b'] === 5);
    expect((await usage.report()).complete).toBe(false);

    redis.server.resume();
    await eventually(() => features.at(-1)?.degraded === false);
    await eventually(async () => (await usage.report()).complete);
    expect(await called(usage)).toEqual({ 'ann /api/v1/a': 6, 'bob /api/v1/b': 5 });
    await usage.close();
    await own.close();
  });

  it('waits for a Redis that is not there yet', async () => {
    const late = await startRedis();
    await late.kill();
    const own = connectRedis(late.url);
    const usage = usageReport({ store: redisUsageStore(own), flushMs: 20 });
    const url = await api();
    await get(`${url}/v1/a`, { 'x-user': 'ann' });
    await eventually(async () => (await called(usage))['ann /api/v1/a'] === 1);
    expect((await usage.report()).complete).toBe(false);
    await late.restart();
    await eventually(async () => (await usage.report()).complete);
    expect(await called(usage)).toEqual({ 'ann /api/v1/a': 1 });
    await usage.close();
    await own.close();
    await late.stop();
  });

  it('closes at once while Redis is gone', async () => {
    const gone = await startRedis();
    const own = connectRedis(gone.url);
    await eventually(() => own.state === 'up');
    const usage = usageReport({ store: redisUsageStore(own) });
    await get(`${await api()}/v1/a`);
    await gone.kill();
    await assertNeverHangs(() => usage.close(), { withinMs: 1_000 });
    await usage.close();
    await own.close();
    await gone.stop();
  });

  it.each([
    [{ prefix: 'a{b}' }, 'redisUsageStore: "prefix" must be text without braces, got "a{b}"'],
    [{ prefx: 'a' }, 'redisUsageStore: "prefx" is not an option; did you mean "prefix"?'],
    [{ retentionDays: 0 }, 'redisUsageStore: "retentionDays" must be an integer from 1 to 3650, got 0'],
    [{ maxRows: 0.5 }, 'redisUsageStore: "maxRows" must be an integer from 1 to 100000, got 0.5'],
    [{ now: 7 }, 'redisUsageStore: "now" must be a function, got 7'],
  ])('refuses %o', (options, message) => {
    expect(() => redisUsageStore(redis.client, options as never)).toThrow(new TypeError(message));
  });
});
