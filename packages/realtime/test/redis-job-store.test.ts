import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { redisJobStore } from '../src/redis-job-store.js';
import { itKeepsTheJobStoreContract, LEASE_MS } from './job-store-contract.js';

let redis: RedisServer;
let links: readonly [RedisLink, RedisLink];
let opened = 0;

beforeAll(async () => {
  redis = await startRedis();
  links = [connectRedis(redis.url, { deadlineMs: 2_000 }), connectRedis(redis.url, { deadlineMs: 2_000 })];
});
afterAll(async () => {
  await Promise.all(links.map((link) => link.close()));
  await redis.stop();
});

describe('the store of jobs in Redis', () => {
  itKeepsTheJobStoreContract(async () => {
    opened += 1;
    const options = { prefix: `test-${opened}:`, leaseMs: LEASE_MS, ttlMs: 60_000 };
    const [store, other] = links.map((link) => redisJobStore({ link, ...options }));
    if (store === undefined || other === undefined) throw new Error('there are two links');
    await Promise.all(links.map((link) => link.command('ping').catch(() => sleep(200))));
    return { store, other, pass: (ms) => sleep(ms) };
  });

  it('leaves nothing without an expiry', async () => {
    const store = redisJobStore({
      link: links[0],
      prefix: 'expiry:',
      leaseMs: 1_000,
      ttlMs: 5_000,
    });
    const job = { id: 'a', kind: 'search', owner: 'ada', input: '1', traceparent: '' };
    await store.put(job, 'h', ['1']);
    for (const key of (await redis.command('keys', 'expiry:*')).split('\n')) {
      const ttl = Number(await redis.command('pttl', key));
      expect(ttl).toBeGreaterThan(4_000);
    }
    await store.append(job, 'h', 1, ['2'], 'complete');
    await redis.command('ping');
    expect(await redis.command('exists', 'expiry:running:search')).toBe('0');
  });

  it('reads and takes a job that has told more than Redis can say in one answer in time', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    onTestFinished(() => proxy.stop());
    const link = connectRedis(`redis://${proxy.address}`);
    onTestFinished(() => link.close());
    const settings = { prefix: 'large:', leaseMs: 100, ttlMs: 5_000 };
    const job = { id: 'a', kind: 'search', owner: null, input: '1', traceparent: '' };
    const events = Array.from({ length: 256 }, (_, index) => `${index} ${'x'.repeat(16_000)}`);
    await redisJobStore({ link: links[0], ...settings }).put(job, 'h', events);
    await eventually(() => link.state === 'up');
    // All of it would take a quarter of a second, and the link gives 100 ms.
    await proxy.throttle(16_000_000);
    const store = redisJobStore({ link, ...settings });
    expect((await store.read('a', 0))?.events).toEqual(events);
    expect((await store.read('a', 250))?.events).toEqual(events.slice(250));
    expect(await store.take(job, 'h2', 3, 'x')).toMatchObject({ attempt: 2, events });
  });

  it('counts no attempt of who was told too late that he has the job', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const link = connectRedis(own.url);
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const store = redisJobStore({ link, prefix: 'late:', leaseMs: 100, ttlMs: 5_000 });
    const job = { id: 'a', kind: 'search', owner: null, input: '1', traceparent: '' };
    const ended = { ...job, id: 'b' };
    await store.put(job, 'h', ['1']);
    // Redis knows the scripts then.
    await store.put(ended, 'h', ['1']);
    await store.release(ended, 'h', true);
    await store.take(ended, 'h2', 3, 'x');
    await sleep(100);
    own.pause();
    await expect(store.take(job, 'h2', 3, 'x')).rejects.toMatchObject({ reason: 'timeout' });
    own.resume();
    await eventually(async () => (await store.due('search', 10)).includes('a'));
    expect(await store.take(job, 'h3', 3, 'x')).toMatchObject({ attempt: 2 });
  });

  it('takes a job that is gone out of the index', async () => {
    const store = redisJobStore({ link: links[0], prefix: 'gone:', leaseMs: 100, ttlMs: 5_000 });
    const job = { id: 'a', kind: 'search', owner: null, input: '1', traceparent: '' };
    await store.put(job, 'h', ['1']);
    await redis.command('del', 'gone:{a}', 'gone:{a}:events');
    await eventually(async () => (await store.due('search', 10)).includes('a'));
    expect(await store.take(job, 'h2', 3, 'x')).toBeUndefined();
    await eventually(async () => (await store.due('search', 10)).length === 0);
  });
});
