import { describe, expect, it } from 'vitest';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { redisStore, zones } from '../src/index.js';
import { hammer, mostInAnyWindow } from './hammer.js';

const redis = sharedRedis();

describe('the counts of one process', () => {
  it('of a fixed window are exact, however many ask at once', async () => {
    const limits = zones({ store: redisStore(redis.link), zones: { fixed: '137/h' } });
    const all = await Promise.all(Array.from({ length: 600 }, () => limits.take('fixed', '::1')));
    expect(all.filter(({ allowed }) => allowed)).toHaveLength(137);
    expect(all.every(({ source }) => source === 'store')).toBe(true);
  });

  it('of several limits at once are exact, too', async () => {
    const limits = zones({ store: redisStore(redis.link), zones: { few: '50/h', many: '80/h' } });
    const few = Array.from({ length: 200 }, () => limits.take('few', '::1'));
    const many = Array.from({ length: 200 }, () => limits.take('many', '::1'));
    const passed = async (all: typeof few): Promise<number> =>
      (await Promise.all(all)).filter(({ allowed }) => allowed).length;
    expect([await passed(few), await passed(many)]).toEqual([50, 80]);
  });
});

/** Milliseconds for which the processes ask; and how many there are. */
const RUN_MS = 1_500;

describe.each([1, 4])('the counts of %i processes that share a Redis', (processes) => {
  it('are exact in a fixed window, and within 1 % by GCRA and in a sliding window', async () => {
    await redis.client.flushall();
    const { fixed, gcra, sliding } = await hammer(redis.server.url, processes, RUN_MS, {
      fixed: '500/h',
      gcra: '200/s burst 99',
      sliding: '150/500ms sliding',
    });

    expect(fixed).toHaveLength(500);

    // 1 + burst at once, and then one each 5 ms, as long as they asked.
    const spanMs = (gcra.at(-1) ?? 0) - (gcra[0] ?? 0);
    const expected = 100 + spanMs / 5;
    expect(spanMs).toBeGreaterThan(RUN_MS * 0.7);
    expect(Math.abs(gcra.length - expected)).toBeLessThanOrEqual(expected * 0.01 + 1);

    // By Redis' clock no window has more than the limit; and each that could be full is, to 1 %.
    expect(mostInAnyWindow(sliding, 500)).toBeLessThanOrEqual(150);
    const windows = Math.floor(((sliding.at(-1) ?? 0) - (sliding[0] ?? 0)) / 505);
    expect(windows).toBeGreaterThanOrEqual(2);
    expect(sliding.length).toBeGreaterThanOrEqual(150 * windows);
  });
});
