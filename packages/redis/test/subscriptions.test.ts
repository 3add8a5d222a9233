import { setTimeout as sleep } from 'node:timers/promises';
import { currentRequest, runInContext } from '@signalbox/context';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it } from 'vitest';
import type { RedisServer } from '../../../test/support/redis.js';
import { eventually } from '../../../test/support/eventually.js';
import { waitUntil } from '../../../test/support/program.js';
import { connectRedis, redisLink, type RedisLink } from '../src/index.js';
import { isIn, stageOf, type Stage } from './stage.js';

const kinds: { kind: string; open: (port: number, stage: Stage) => RedisLink }[] = [
  { kind: 'a link of its own', open: (port) => connectRedis(`redis://127.0.0.1:${port}`) },
  {
    kind: "a user's client",
    open: (port, stage) => redisLink(stage.ending(new Redis(port, { keyPrefix: 'app:' }))),
  },
  {
    kind: "a user's client of ioredis 5 with timeouts",
    open: (port, stage) =>
      redisLink(stage.ending(new Redis5(port, { commandTimeout: 300, socketTimeout: 300 }))),
  },
];

/** Publishes until somebody is there to hear it. */
async function publish(redis: RedisServer, channel: string, message: string, listeners = 1): Promise<void> {
  let heardBy = 0;
  const isHeard = await waitUntil(async () => {
    heardBy = Number((await redis.command('pubsub', 'numsub', channel)).split('\n')[1]);
    return heardBy === listeners;
  });
  if (!isHeard) throw new Error(`${heardBy} hear "${channel}":\n${await redis.command('client', 'list')}`);
  await redis.command('publish', channel, message);
}

describe.for(kinds)('subscriptions of $kind', ({ open }) => {
  it.concurrent('hear their channels, on one connection that is opened for the first', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    await isIn(link, 'up');
    const clients = async (): Promise<number> => (await redis.command('client', 'list')).split('\n').length;
    const before = await clients();

    const heard: string[] = [];
    const endFirst = link.subscribe('one', (message) => heard.push(`first ${message}`));
    const endThrowing = link.subscribe('one', () => {
      throw new Error('a listener of somebody else');
    });
    const endSecond = link.subscribe('one', (message) => heard.push(`second ${message}`));
    const endOther = link.subscribe('two', (message) => heard.push(`other ${message}`));
    const warned = new Promise<Error>((resolve) => {
      const hear = (warning: Error): void => void (/somebody else/.test(warning.message) && resolve(warning));
      process.on('warning', hear);
      context.onTestFinished(() => void process.off('warning', hear));
    });
    await publish(redis, 'one', 'a');
    await publish(redis, 'two', 'ö');
    await eventually(() => heard.length === 3);
    expect(heard).toEqual(['first a', 'second a', 'other ö']);
    expect((await warned).message).toContain('of somebody else');
    expect(await clients()).toBe(before + 1);

    endFirst();
    endFirst();
    endThrowing();
    await publish(redis, 'one', 'b');
    await eventually(() => heard.length === 4);
    endSecond();
    await eventually(async () => (await redis.command('pubsub', 'channels')) === 'two');
    endOther();
    await eventually(async () => (await clients()) === before);
    expect(heard.at(-1)).toBe('second b');

    // And once more, from the start.
    link.subscribe('one', (message) => heard.push(message));
    await publish(redis, 'one', 'c');
    await eventually(() => heard.at(-1) === 'c');
  });

  it.concurrent.for(['kill', 'blackhole', 'reset', 'dead at boot'] as const)(
    'come back after "%s", and say that something may have been missed',
    async (fault, context) => {
      const stage = stageOf(context);
      const redis = await stage.redis();
      const proxy = await stage.proxy(redis);
      if (fault === 'dead at boot') await redis.kill();
      const link = stage.closing(open(proxy.port, stage));
      const heard: string[] = [];
      let gaps = 0;
      const onGap = (): void => void (gaps += 1);
      link.subscribe('one', (message) => heard.push(message), { onGap });
      link.subscribe('two', (message) => heard.push(message), {
        onGap() {
          throw new Error('also of somebody else');
        },
      });
      if (fault !== 'dead at boot') {
        await publish(redis, 'one', 'before');
        await eventually(() => heard.length === 1);
        // One connection of the link, one for the channels; a machine that is too busy loses one, and that is told.
        expect(gaps).toBeLessThanOrEqual(proxy.counts.connections - 2);
      }
      const gapsBefore = gaps;

      if (fault === 'kill') await redis.restart();
      if (fault === 'reset') await proxy.reset();
      if (fault === 'blackhole') await proxy.blackhole();
      if (fault === 'dead at boot') {
        await isIn(link, 'down');
        await redis.restart();
      }
      if (fault === 'blackhole') {
        // A connection that lost something stays silent for good; the heartbeat has to find out.
        await publish(redis, 'one', 'lost');
        await eventually(() => proxy.counts.bytesLost > 0);
      }
      await proxy.pass();
      await eventually(() => gaps > gapsBefore);
      await publish(redis, 'two', 'after');
      await eventually(() => heard.at(-1) === 'after');
      expect(gaps).toBe(gapsBefore + 1);
    },
  );

  it.concurrent('are made where Redis is far, and three answers take longer than it has for one', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    const link = stage.closing(open(proxy.port, stage));
    await isIn(link, 'up');
    await proxy.delay(400);
    const heard: string[] = [];
    link.subscribe('one', (message) => heard.push(message));
    await publish(redis, 'one', 'a');
    await eventually(() => heard.length === 1);
  });

  it.concurrent('that Redis refuses are reported, and made once it does not', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    await redis.command('acl', 'setuser', 'default', 'resetchannels');
    const link = stage.closing(open(redis.port, stage));
    const warned = new Promise<Error>((resolve) => {
      const hear = (warning: Error): void => void (/subscription/.test(warning.message) && resolve(warning));
      process.on('warning', hear);
      context.onTestFinished(() => void process.off('warning', hear));
    });
    const heard: string[] = [];
    link.subscribe('one', (message) => heard.push(message));
    expect((await warned).message).toContain('Redis refuses a subscription: NOPERM');
    await redis.command('acl', 'setuser', 'default', 'allchannels');
    await publish(redis, 'one', 'at last');
    await eventually(() => heard.length === 1);
  });

  it.concurrent('are of no request, whichever was the first to listen', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    await isIn(link, 'up');
    const heardIn: unknown[] = [];
    runInContext({ id: 'the first' }, () =>
      link.subscribe('news', () => void heardIn.push(currentRequest()?.id)),
    );
    await publish(redis, 'news', 'hello');
    await eventually(() => heardIn.length === 1);
    expect(heardIn).toEqual([undefined]);
  });

  it.concurrent('that Redis refuses take nothing from the others', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    await redis.command('acl', 'setuser', 'default', 'resetchannels', '&one');
    const link = stage.closing(open(redis.port, stage));
    const heard: string[] = [];
    let gaps = 0;
    link.subscribe('one', (message) => heard.push(message));
    await publish(redis, 'one', 'before');
    link.subscribe('two', (message) => heard.push(message), { onGap: () => void (gaps += 1) });
    await sleep(500);
    await redis.command('publish', 'one', 'while');
    await eventually(() => heard.length === 2);

    // On a new connection as well.
    await redis.command('client', 'kill', 'type', 'pubsub');
    await publish(redis, 'one', 'after');
    await eventually(() => heard.length === 3);
    expect(heard).toEqual(['before', 'while', 'after']);
    const gapsBefore = gaps;

    await redis.command('acl', 'setuser', 'default', 'allchannels');
    await publish(redis, 'two', 'at last');
    await eventually(() => heard.length === 4);
    expect(gaps).toBe(gapsBefore + 1);
  });

  it.concurrent('live through silence', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(open(redis.port, stage));
    const heard: string[] = [];
    let gaps = 0;
    link.subscribe('one', (message) => heard.push(message), { onGap: () => void (gaps += 1) });
    await sleep(3_500);
    await publish(redis, 'one', 'still here');
    await eventually(() => heard.length === 1);
    expect(gaps).toBe(0);
  });
});
