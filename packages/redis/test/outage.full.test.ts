import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { expect, it } from 'vitest';
import { connectRedis, type RedisLink } from '../src/index.js';
import { isIn, recovery, stageOf, type Stage } from './stage.js';

const FAULTS = [
  'delay',
  'throttle',
  'partition',
  'blackhole',
  'refuse',
  'reset',
  'pause',
  'restart',
  'flush',
] as const;

const kinds: { kind: string; open: (port: number, stage: Stage) => RedisLink }[] = [
  { kind: 'a link of its own', open: (port) => connectRedis(`redis://127.0.0.1:${port}`) },
  { kind: "a user's client", open: (port, stage) => connectRedis(stage.ending(new Redis(port))) },
  {
    kind: "a user's client of ioredis 5",
    open: (port, stage) => connectRedis(stage.ending(new Redis5(port))),
  },
];

it.concurrent.for(kinds)(
  '$kind keeps every deadline and gives everybody their own answer, whatever fails for however long',
  { timeout: 600_000 },
  async ({ open }, context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    const link = stage.closing(open(proxy.port, stage));
    await isIn(link, 'up');
    const echo = link.script('echo', 'return {KEYS[1], ARGV[1]}');
    let sent = 0;
    const load = stage.load(link, async () => {
      const id = String((sent += 1));
      const [answer, text] = await Promise.all([echo(['k'], [id]), link.command('echo', id)]);
      if (String(answer) !== `k,${id}` || text !== id)
        throw new Error(`${id} got ${String(answer)}, ${String(text)}`);
    });

    const step = fc.record({ fault: fc.constantFrom(...FAULTS), forMs: fc.nat(1_200) });
    for (const { fault, forMs } of fc.sample(step, 60)) {
      if (fault === 'delay') await proxy.delay(forMs);
      else if (fault === 'throttle') await proxy.throttle(2_000);
      else if (fault === 'pause') redis.pause();
      else if (fault === 'restart') await redis.restart();
      else if (fault === 'flush') await redis.command('script', 'flush');
      else await proxy[fault]();
      await sleep(forMs);
      redis.resume();
      await proxy.pass();
      await recovery(link, 'k', 20_000);
      await isIn(link, 'up');
    }
    await load.stop();
    expect(load.slowestMs).toBeLessThan(150 + 2 * load.slowestTickMs);
    expect([...load.failures.keys()].filter((key) => !/^(down|timeout|breaker)$/.test(key))).toEqual([]);
  },
);
