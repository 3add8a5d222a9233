import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it } from 'vitest';
import { connectRedis, type RedisLink } from '../src/index.js';
import { isIn, recovery, stageOf, type Load, type Stage } from './stage.js';

/** A deadline of 100 ms, and what it takes to say so. */
const SLOWEST_MS = 150;

const kinds: { kind: string; open: (port: number, stage: Stage) => RedisLink }[] = [
  { kind: 'a link of its own', open: (port) => connectRedis(`redis://127.0.0.1:${port}`) },
  // With ioredis' defaults: an offline queue, 20 retries, no timeouts.
  { kind: "a user's client", open: (port, stage) => connectRedis(stage.ending(new Redis(port))) },
  {
    kind: "a user's client of ioredis 5",
    open: (port, stage) => connectRedis(stage.ending(new Redis5(port))),
  },
];

/** Every command was done with in time, and failed as it should. */
function expectInTime(load: Load): void {
  // A machine that has other things to do lets this process wait, whatever Redis does.
  expect(load.slowestMs).toBeLessThan(SLOWEST_MS + 2 * load.slowestTickMs);
  expect([...load.failures.keys()].filter((reason) => !/^(down|timeout|breaker)$/.test(reason))).toEqual([]);
}

describe.for(kinds)('$kind, with Redis', ({ open }) => {
  it.concurrent('dead at boot, is down, refuses at once, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    await redis.kill();
    const link = stage.closing(open(redis.port, stage));
    const load = stage.load(link);
    await isIn(link, 'down');

    await redis.restart();
    expect(await recovery(link)).toBeLessThan(5_000);
    await isIn(link, 'up');
    await load.stop();
    expectInTime(load);
  });

  it.concurrent('killed with 500 commands under way, fails them all, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    await isIn(link, 'up');
    redis.pause();

    const underWay = Promise.allSettled(
      Array.from({ length: 500 }, (_, i) => link.command('rpush', 'log', i)),
    );
    await sleep(10);
    await redis.kill();
    const results = await underWay;
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    await isIn(link, 'down');

    await redis.restart();
    expect(await recovery(link)).toBeLessThan(5_000);
    // None of the 500 is done now, when nobody waits for it any more.
    expect(await link.command('exists', 'log')).toBe(0);
  });

  it.concurrent('stopped (SIGSTOP), opens the breaker, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    await isIn(link, 'up');
    const load = stage.load(link);
    redis.pause();
    await isIn(link, 'down');
    await sleep(2_500);
    expect(link.state).toBe('down');

    redis.resume();
    expect(await recovery(link)).toBeLessThan(10_000);
    await isIn(link, 'up');
    await load.stop();
    expectInTime(load);
    // Only those that were sent before the breaker opened had to wait.
    expect(load.failures.get('timeout')).toBeLessThan(60);
    expect(load.slowestRefusalMs).toBeLessThan(5 + 2 * load.slowestTickMs);
  });

  it.concurrent.for([200, 500])(
    '%s ms away, opens the breaker, and recovers by itself',
    async (ms, context) => {
      const stage = stageOf(context);
      const redis = await stage.redis();
      const proxy = await stage.proxy(redis);
      const link = stage.closing(open(proxy.port, stage));
      await isIn(link, 'up');
      const load = stage.load(link);
      await proxy.delay(ms);
      await isIn(link, 'down');
      await sleep(2_000);
      expect(link.state).toBe('down');

      await proxy.pass();
      expect(await recovery(link)).toBeLessThan(5_000);
      await isIn(link, 'up');
      await load.stop();
      expectInTime(load);
    },
  );

  it.concurrent.for(['partition', 'blackhole', 'refuse', 'reset'] as const)(
    'behind a network in the state "%s", recovers by itself',
    async (fault, context) => {
      const stage = stageOf(context);
      const redis = await stage.redis();
      const proxy = await stage.proxy(redis);
      const link = stage.closing(open(proxy.port, stage));
      await isIn(link, 'up');
      const load = stage.load(link);
      await proxy[fault]();
      await isIn(link, 'down');
      await sleep(1_500);
      expect(link.state).toBe('down');

      await proxy.pass();
      expect(await recovery(link, 'k', 15_000)).toBeLessThan(15_000);
      await isIn(link, 'up');
      await load.stop();
      expectInTime(load);
    },
  );

  it.concurrent('that accepts connections and never answers, is down, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    await proxy.blackhole();
    const link = stage.closing(open(proxy.port, stage));
    const load = stage.load(link);
    await isIn(link, 'down');

    await proxy.pass();
    expect(await recovery(link, 'k', 15_000)).toBeLessThan(15_000);
    await load.stop();
    expectInTime(load);
  });

  it.concurrent('restarted over and over under load, ends as if nothing had been', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    await isIn(link, 'up');
    const load = stage.load(link);
    for (let round = 0; round < 3; round += 1) {
      await redis.restart();
      await recovery(link);
    }
    await load.stop();
    expectInTime(load);
    expect(load.ok).toBeGreaterThan(0);
  });

  it.concurrent('silent to a single command, finds out in the background and makes the connection anew', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    const link = stage.closing(open(proxy.port, stage));
    await isIn(link, 'up');
    await proxy.blackhole();
    await expect(link.command('get', 'k')).rejects.toMatchObject({ reason: 'timeout' });
    // Far from what opens the breaker: it is the PINGs that do.
    await isIn(link, 'down');
    await proxy.pass();
    await recovery(link, 'k', 15_000);
  });
});

describe('a stalled event loop', () => {
  it('is not taken for a dead Redis', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');

    for (const count of [1, 8, 9, 17, 20]) {
      // From a timer: the link's own is due right after, before anything else gets its turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
      // Those that fill a write have left when the loop stands still, and the rest has not.
      const underWay = Array.from({ length: count }, (_, i) => link.command('set', `k${i}`, 'v'));
      const until = performance.now() + 300;
      while (performance.now() < until);
      expect(await Promise.all(underWay)).toEqual(Array.from({ length: count }, () => 'OK'));
    }
    expect(link.state).toBe('up');
  });
});
