import { currentRequest, requestContext } from '@signalbox/context';
import { testClock } from '@signalbox/testing';
import { Router, type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import {
  deprecated,
  memoryUsageStore,
  usageReport,
  versions,
  type UsageBatch,
  type UsageReport,
  type UsageReportOptions,
  type UsageStore,
} from '../src/index.js';
import { get, listening, routerOf, serving } from './support.js';

const NOON = Date.parse('2026-07-01T12:00:00Z');

const byHeader: RequestHandler = (req, _res, next) => {
  Object.assign(req, { auth: { subject: req.get('x-user') } });
  next();
};

function api(...before: readonly RequestHandler[]): Promise<string> {
  const v1 = Router()
    .use(deprecated({ since: '2026-01-31' }))
    .use(routerOf('v1', '/items/:id', '/old'));
  return serving(byHeader, ...before, versions({ v1, v2: routerOf('v2', '/items/:id') }, { default: 'v2' }));
}

/** Closed when the test ends. */
function opened(options: UsageReportOptions = {}): UsageReport {
  const usage = usageReport(options);
  onTestFinished(() => usage.close());
  return usage;
}

async function total(usage: UsageReport): Promise<number> {
  return (await usage.report()).rows.reduce((sum, { calls }) => sum + calls, 0);
}

/** A store that fails as long as it is told to, before or after it has done its work. */
function failingStore(
  inner: UsageStore = memoryUsageStore(),
): UsageStore & { fails: '' | 'before' | 'after'; batches: UsageBatch[] } {
  return {
    fails: '',
    batches: [],
    async add(batch) {
      if (this.fails === 'before') throw new Error('the store is down');
      this.batches.push(batch);
      await inner.add(batch);
      if (this.fails === 'after') throw new Error('no answer');
    },
    async read() {
      if (this.fails !== '') throw new Error('the store is down');
      return inner.read();
    },
  };
}

describe('usageReport', () => {
  it('tells who still calls what, most calls first', async () => {
    const clock = testClock(NOON);
    const usage = opened({ now: clock.now, store: memoryUsageStore({ now: clock.now }) });
    const url = await api();
    await get(`${url}/v1/items/1`, { 'x-user': 'ann' });
    await eventually(async () => (await total(usage)) === 1);
    clock.advance(1_500);
    await get(`${url}/v1/items/2`, { 'x-user': 'ann' });
    await get(`${url}/v1/old`);
    await get(`${url}/v1/nope`, { 'x-user': 'bob' });
    await get(`${url}/v2/items/1`, { 'x-user': 'ann' });
    await get(`${url}/v2/old`, { 'x-user': 'ann' });
    await eventually(async () => (await total(usage)) === 4);
    const { rows, complete } = await usage.report();
    expect(complete).toBe(true);
    expect(rows[0]).toEqual({
      version: 'v1',
      consumer: 'ann',
      route: '/api/v1/items/:id',
      calls: 2,
      firstSeen: '2026-07-01T12:00:00.000Z',
      lastSeen: '2026-07-01T12:00:01.500Z',
    });
    expect(
      rows
        .slice(1)
        .map(({ consumer, route }) => `${consumer} ${route}`)
        .toSorted(),
    ).toEqual(['anonymous /api/v1/old', 'bob unmatched']);
  });

  it('counts every call that passes by, each of them once', async () => {
    const usage = opened();
    const url = await api(usage.everyCall);
    await get(`${url}/v1/items/1`, { 'x-user': 'ann' });
    await get(`${url}/v2/items/1`, { 'x-user': 'ann' });
    await get(`${url}/items/1`, { 'x-user': 'bob' });
    // No version of the API.
    await get(`${url}/v9/items/1`, { 'x-user': 'bob' });
    await eventually(async () => (await total(usage)) === 3);
    const { rows } = await usage.report();
    expect(rows.map(({ version, consumer, route }) => `${version} ${consumer} ${route}`).toSorted()).toEqual([
      'v1 ann /api/v1/items/:id',
      'v2 ann /api/v2/items/:id',
      'v2 bob /api/items/:id',
    ]);
    expect((await usage.report({ version: 'v1' })).rows).toHaveLength(1);
  });

  it('names who calls as it is told', async () => {
    const usage = opened({ consumer: (req) => req.get('x-app') });
    const url = await api(usage.everyCall);
    await get(`${url}/v2/items/1`, { 'x-app': 'billing' });
    await eventually(async () => (await total(usage)) === 1);
    expect((await usage.report()).rows[0]?.consumer).toBe('billing');
  });

  it('writes in batches, by itself', async () => {
    const store = failingStore();
    opened({ store, flushMs: 30 });
    const url = await api();
    await Promise.all(Array.from({ length: 20 }, () => get(`${url}/v1/old`)));
    await eventually(
      () => store.batches.flatMap(({ counts }) => counts).reduce((sum, { calls }) => sum + calls, 0) === 20,
    );
    expect(store.batches.length).toBeLessThan(20);
  });

  it('writes for all, and within none of the requests that were counted', async () => {
    const store = failingStore();
    const writers: unknown[] = [];
    const add = store.add.bind(store);
    store.add = (batch) => {
      writers.push(currentRequest()?.id);
      return add(batch);
    };
    opened({ flushMs: 10, store });
    const url = await api(requestContext());
    store.fails = 'before';
    await get(`${url}/v1/old`);
    await eventually(() => writers.length > 1);
    store.fails = '';
    await eventually(() => store.batches.length === 1);
    expect(new Set(writers)).toEqual(new Set([undefined]));
  });

  it('reports and writes what there was when it was asked, however many calls go on meanwhile', async () => {
    const { calls } = listening();
    const url = await api();
    const inner = memoryUsageStore();
    let writes = 0;
    const usage = opened({
      flushMs: 60_000,
      store: {
        async add(batch) {
          writes += 1;
          const before = calls.length;
          if (writes < 20) await get(`${url}/v1/old`);
          await eventually(() => writes >= 20 || calls.length > before);
          await inner.add(batch);
        },
        read: () => inner.read(),
      },
    });
    await get(`${url}/v1/old`);
    await eventually(() => calls.length === 1);
    expect((await usage.report()).rows[0]?.calls).toBe(1);
    expect(writes).toBe(1);

    const first = usage.flush();
    await get(`${url}/v1/old`);
    await eventually(() => calls.length >= 3);
    // Asked for while another one is under way, it has what came since that began.
    await usage.flush();
    await first;
    expect(writes).toBe(3);
    expect((await inner.read())[0]?.calls).toBeGreaterThanOrEqual(3);
  });

  it('holds up no request while it adds up what the days have', async () => {
    const store = memoryUsageStore();
    const now = Date.now();
    for (let day = 0; day < 30; day += 1) {
      const lastSeenMs = now - day * 86_400_000;
      const seen = { version: 'v1', route: '/a', calls: 1, firstSeenMs: lastSeenMs, lastSeenMs };
      const counts = Array.from({ length: 2_000 }, (_, user) => ({ ...seen, consumer: `u_${user}` }));
      await store.add({ id: `day ${day}`, counts });
    }
    const usage = opened({ store });
    let turns = 0;
    const counting = setInterval(() => (turns += 1));
    const report = await usage.report();
    clearInterval(counting);
    expect(report.rows.map(({ calls }) => calls)).toEqual(Array.from({ length: 2_000 }, () => 30));
    expect(turns).toBeGreaterThan(5);
  });

  it.each(['before', 'after'] as const)(
    'loses and doubles nothing when the store fails %s its work',
    async (fails) => {
      const { features } = listening();
      const store = failingStore();
      const usage = opened({ store, flushMs: 60_000 });
      const url = await api();
      store.fails = fails;
      await get(`${url}/v1/old`);
      await eventually(async () => (await total(usage)) === 1);
      expect(await usage.flush()).toBe(false);
      await get(`${url}/v1/old`);
      await eventually(async () => (await total(usage)) === 2);
      expect((await usage.report()).complete).toBe(false);
      store.fails = '';
      expect(await usage.flush()).toBe(true);
      expect(await total(usage)).toBe(2);
      expect(features.map(({ feature, degraded }) => [feature, degraded])).toEqual([
        ['version-usage', true],
        ['version-usage', false],
      ]);
    },
  );

  it('keeps the calls and not the consumers of more than it may hold', async () => {
    const store = failingStore();
    store.fails = 'before';
    const usage = opened({ store, flushMs: 60_000, maxPending: 3 });
    const url = await api();
    for (let user = 0; user < 10; user++) await get(`${url}/v1/old`, { 'x-user': `u${user}` });
    await eventually(async () => (await total(usage)) === 10);
    store.fails = '';
    const { rows } = await usage.report();
    expect(rows[0]).toMatchObject({ consumer: '__overflow__', calls: 7 });
    expect(rows).toHaveLength(4);
  });

  it('writes what it has when it is closed, and counts no more', async () => {
    const store = failingStore();
    const usage = usageReport({ store, flushMs: 60_000 });
    const { calls } = listening();
    const url = await api(usage.everyCall);
    await get(`${url}/v1/old`);
    await eventually(() => calls.length === 1);
    await usage.close();
    await usage.close();
    await get(`${url}/v1/old`);
    await get(`${url}/v2/items/1`);
    await eventually(() => calls.length === 2);
    expect(await total(usage)).toBe(1);
  });
});
