import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryBudget } from '../src/retry-budget.js';

const RATIO = 0.2;
const WINDOW_MS = 10_000;
const SLOT_MS = WINDOW_MS / 10;

/** What may happen: time goes by, a request comes, a request failed and wants a retry. */
const events = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant('request' as const) },
    { weight: 4, arbitrary: fc.constant('failure' as const) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 15_000 }) },
  ),
  { maxLength: 400 },
);

describe('retryBudget', () => {
  it('allows exactly what a log of everything in the window would', () => {
    fc.assert(
      fc.property(events, fc.constantFrom(0, 0.1, 1), (happenings, minPerSecond) => {
        let nowMs = 5_000_000;
        const budget = retryBudget({ ratio: RATIO, minPerSecond, windowMs: WINDOW_MS }, () => nowMs);
        const requests: number[] = [];
        const retries: number[] = [];
        const inWindow = (log: number[]): number => {
          const oldest = (Math.floor(nowMs / SLOT_MS) - 9) * SLOT_MS;
          return log.filter((at) => at >= oldest).length;
        };

        for (const happening of happenings) {
          if (happening === 'request') {
            budget.deposit();
            requests.push(nowMs);
          } else if (happening === 'failure') {
            const allowed = inWindow(requests) * RATIO + minPerSecond * 10;
            expect(budget.withdraw()).toBe(inWindow(retries) + 1 <= allowed);
            if (inWindow(retries) + 1 <= allowed) retries.push(nowMs);
          } else {
            nowMs += happening;
          }
        }
      }),
    );
  });

  it('never lets retries exceed a fifth of the requests and the minimum, over any time', () => {
    fc.assert(
      fc.property(events, fc.constantFrom(0, 0.5, 2), (happenings, minPerSecond) => {
        const startMs = 1_234;
        let nowMs = startMs;
        const budget = retryBudget({ ratio: RATIO, minPerSecond, windowMs: WINDOW_MS }, () => nowMs);
        let requests = 0;
        let retries = 0;

        for (const happening of happenings) {
          if (typeof happening === 'number') {
            nowMs += happening;
            continue;
          }
          if (happening === 'request') {
            requests += 1;
            budget.deposit();
          } else if (budget.withdraw()) {
            retries += 1;
          }
          const windows = Math.ceil((nowMs - startMs) / WINDOW_MS) + 1;
          expect(retries).toBeLessThanOrEqual(requests * RATIO + minPerSecond * 10 * windows);
        }
      }),
    );
  });

  it('forgets after an idle hour', () => {
    let nowMs = 0;
    const budget = retryBudget({ ratio: 1, minPerSecond: 0, windowMs: WINDOW_MS }, () => nowMs);
    for (let request = 0; request < 10; request += 1) budget.deposit();
    nowMs += 3_600_000;
    expect(budget.withdraw()).toBe(false);
    expect(budget.state()).toEqual({ requests: 0, retries: 0, allowed: 0 });
  });
});
