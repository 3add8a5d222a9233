import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { memoryStore, type Ask, type Rate, type Standing } from '../src/index.js';
import { limitOf } from '../src/limit.js';
import { REFUND_SCRIPT, TAKE_SCRIPT } from '../src/scripts.js';

/** The scripts with a clock that the test sets: the last two arguments. */
const withClock = (script: string): string => {
  const changed = script.replace("redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}');
  expect(changed).not.toBe(script);
  return changed;
};

const redis = sharedRedis();

const MINUTE = 60_000;
/** Keys expire by Redis' own clock: windows are long, so that none does while a case runs. */
const rates: fc.Arbitrary<Rate> = fc.oneof(
  fc.record({
    limit: fc.integer({ min: 1, max: 30 }),
    windowMs: fc.integer({ min: MINUTE, max: 60 * MINUTE }),
  }),
  fc.record({
    limit: fc.integer({ min: 1, max: 30 }),
    windowMs: fc.integer({ min: MINUTE, max: 60 * MINUTE }),
    sliding: fc.constant(true),
  }),
  fc.record({
    limit: fc.integer({ min: 1, max: 30 }),
    windowMs: fc.integer({ min: MINUTE, max: 60 * MINUTE }),
    burst: fc.integer({ min: 0, max: 30 }),
  }),
);

/** How far the clock goes on, in thousandths of the longest window; what it costs; whether it is taken back. */
const steps = fc.array(
  fc.record({
    permille: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1_500 })),
    cost: fc.integer({ min: 1, max: 40 }),
    refund: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

let serial = 0;

async function takeByScript(asks: readonly Ask[], nowMs: number): Promise<Standing[]> {
  const keys = asks.map(({ limit, who }) => `${limit.bucket}:${who}`);
  const args = asks.flatMap(({ limit, cost }) => [
    limit.shadow ? limit.kind.toUpperCase() : limit.kind,
    limit.capacity,
    limit.kind === 'gcra' ? limit.intervalMs : limit.windowMs,
    cost,
  ]);
  const reply = (await redis.client.eval(
    withClock(TAKE_SCRIPT),
    keys.length,
    ...keys,
    ...args,
    ...clockArguments(nowMs),
  )) as number[];
  return asks.map((_ask, index) => ({
    remaining: reply[3 * index] ?? -1,
    resetMs: reply[3 * index + 1] ?? -1,
    retryMs: reply[3 * index + 2] ?? -1,
    at: nowMs,
  }));
}

async function refundByScript(asks: readonly Ask[], nowMs: number, at: number): Promise<void> {
  const keys = asks.map(({ limit, who }) => `${limit.bucket}:${who}`);
  const args = asks.flatMap(({ limit, cost }) => [
    limit.kind,
    limit.capacity,
    limit.kind === 'gcra' ? limit.intervalMs : limit.windowMs,
    cost,
    at,
  ]);
  await redis.client.eval(withClock(REFUND_SCRIPT), keys.length, ...keys, ...args, ...clockArguments(nowMs));
}

/** Seconds and microseconds, as TIME gives them. */
function clockArguments(nowMs: number): [number, number] {
  return [Math.floor(nowMs / 1000), (nowMs % 1000) * 1000];
}

describe('the scripts in Redis', () => {
  it('count as the algorithms in TypeScript do, whatever comes, in one limit or several', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(rates, fc.boolean()), { minLength: 1, maxLength: 3 }),
        steps,
        async (limits, sequence) => {
          serial += 1;
          const asked = limits.map(([rate, shadow], index) => limitOf(`z${serial}-${index}`, rate, shadow));
          const longestMs = Math.max(...asked.map(({ windowMs }) => windowMs));
          let nowMs = 1_700_000_000_000;
          const memory = memoryStore({ now: () => nowMs });

          for (const { permille, cost, refund } of sequence) {
            nowMs += Math.floor((longestMs * permille) / 1000);
            const asks = asked.map((limit) => ({ limit, who: 'w', cost: Math.min(cost, limit.capacity) }));
            const expected = memory.take(asks) as Standing[];
            const found = await takeByScript(asks, nowMs);
            expect(found).toEqual(expected);

            const charged = asks.filter((_ask, index) => expected[index]?.retryMs === 0);
            const isRefused = asks.some(({ limit }, index) => expected[index]?.retryMs && !limit.shadow);
            if (!refund || isRefused || charged.length === 0) continue;
            const at = nowMs;
            nowMs += Math.floor((longestMs * permille) / 3000);
            await memory.refund(
              charged,
              charged.flatMap((ask) => expected[asks.indexOf(ask)] ?? []),
            );
            await refundByScript(charged, nowMs, at);
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  it('never let more than the limit through in any window, and no less than one that is 1 % longer would', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 50, maxLength: 600 }),
        (limit, gaps) => {
          const windowMs = 1_000;
          let nowMs = 5_000;
          const sliding = limitOf('sliding', { limit, windowMs, sliding: true }, false);
          const store = memoryStore({ now: () => nowMs });
          const passed: number[] = [];
          for (const gap of gaps) {
            nowMs += gap;
            const [standing] = store.take([{ limit: sliding, who: 'w', cost: 1 }]) as Standing[];
            const within = (ms: number): number => passed.filter((time) => time > nowMs - ms).length;
            if (standing?.retryMs === 0) expect(within(windowMs)).toBeLessThan(limit);
            else expect(within(windowMs * 1.01)).toBeGreaterThanOrEqual(limit);
            if (standing?.retryMs === 0) passed.push(nowMs);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keep a rate by GCRA to a request, over any time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 0, max: 50 }),
        fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 50, maxLength: 500 }),
        (perSecond, burst, gaps) => {
          let nowMs = 0;
          const limit = limitOf('gcra', { limit: perSecond, windowMs: 1_000, burst }, false);
          const store = memoryStore({ now: () => nowMs });
          // The theoretical arrival time of the definition, ITU-T I.371.
          let tat = 0;
          for (const gap of gaps) {
            nowMs += gap;
            const [standing] = store.take([{ limit, who: 'w', cost: 1 }]) as Standing[];
            const early = Math.max(tat, nowMs) - nowMs;
            const slackMs = 1e-6;
            if (standing?.retryMs === 0) {
              expect(early).toBeLessThanOrEqual(burst * limit.intervalMs + slackMs);
              tat = Math.max(tat, nowMs) + limit.intervalMs;
            } else {
              expect(early).toBeGreaterThan(burst * limit.intervalMs - slackMs);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('do not lock anybody out when the clock is set back', async () => {
    const limit = limitOf('back', { limit: 1, windowMs: 1_000, burst: 0 }, false);
    const asks = [{ limit, who: 'w', cost: 1 }];
    await takeByScript(asks, 1_700_000_000_000);
    const [refused] = await takeByScript(asks, 1_600_000_000_000);
    expect(refused?.retryMs).toBe(1_000);
  });
});
