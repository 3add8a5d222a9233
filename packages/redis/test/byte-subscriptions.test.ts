import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { connectRedis } from '../src/index.js';
import { isIn, stageOf } from './stage.js';

const BYTES = Buffer.from([0, 0xff, 0xfe, 0x80, 0x0a]);

describe('subscriptions to bytes', () => {
  it('hear channels and patterns, byte by byte, beside those to text', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    await isIn(link, 'up');
    const heard: [string, string, Buffer | string][] = [];
    link.subscribe('room#one', (message) => heard.push(['text', 'room#one', message]));
    link.subscribeBytes('room#one', (message, channel) => heard.push(['bytes', channel, message]));
    const end = link.subscribeBytes(
      'room#*',
      (message, channel) => heard.push(['pattern', channel, message]),
      {
        pattern: true,
      },
    );
    await eventually(async () => (await redis.command('pubsub', 'numpat')) === '1');
    await eventually(async () => (await redis.command('pubsub', 'numsub', 'room#one')).endsWith('1'));

    await link.command('publish', 'room#one', BYTES);
    await link.command('publish', 'room#two', BYTES);
    await eventually(() => heard.length === 4);
    expect(heard).toEqual([
      ['text', 'room#one', BYTES.toString()],
      ['bytes', 'room#one', BYTES],
      ['pattern', 'room#one', BYTES],
      ['pattern', 'room#two', BYTES],
    ]);

    end();
    await eventually(async () => (await redis.command('pubsub', 'numpat')) === '0');
  });

  it('are made again after the connection was lost, and say so', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    let gaps = 0;
    const heard: string[] = [];
    link.subscribeBytes('a*', (_message, channel) => heard.push(channel), {
      pattern: true,
      onGap: () => void (gaps += 1),
    });
    await eventually(async () => (await redis.command('pubsub', 'numpat')) === '1');
    await redis.restart();
    await eventually(() => gaps === 1);
    await redis.command('publish', 'abc', 'x');
    await eventually(() => heard.length === 1);
  });

  it('are refused where an option is wrong', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    const listener = (): void => undefined;
    expect(() => link.subscribeBytes('', listener)).toThrow(
      'subscribeBytes: "channel" must be a non-empty string, got ""',
    );
    // @ts-expect-error -- what JavaScript may pass
    expect(() => link.subscribeBytes('a', listener, { pattern: 1 })).toThrow(
      'subscribeBytes: "pattern" must be true or false, got 1',
    );
  });
});
