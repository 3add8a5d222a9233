import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBreaker } from '../src/breaker.js';

type Step = { kind: 'ok' | 'fail' | 'shut'; afterMs: number };

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('ok' as const, 'fail' as const, 'fail' as const, 'fail' as const, 'shut' as const),
    afterMs: fc.nat(400),
  }),
  { maxLength: 60 },
);

/** The same, said at length: what failed in a row, and when. */
function model(failures: number, windowMs: number): (step: Step, now: number) => boolean {
  let row: number[] = [];
  let isOpen = false;
  return ({ kind }, now) => {
    if (kind === 'shut') isOpen = false;
    if (kind === 'fail') row.push(now);
    else if (kind === 'shut' || !isOpen) row = [];
    const latest = row.slice(-failures);
    if (kind === 'fail' && latest.length === failures && now - (latest[0] ?? 0) <= windowMs) isOpen = true;
    return isOpen;
  };
}

describe('the breaker', () => {
  it('opens after so many failures in a row within the window, and only then', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 1_500 }),
        steps,
        (failures, windowMs, all) => {
          const changes: boolean[] = [];
          const breaker = createBreaker(failures, windowMs, (isOpen) => changes.push(isOpen));
          const expected = model(failures, windowMs);
          let now = 1_000;
          for (const step of all) {
            now += step.afterMs;
            if (step.kind === 'ok') breaker.succeeded();
            else if (step.kind === 'fail') breaker.failed(now);
            else breaker.shut();
            expect(breaker.isOpen).toBe(expected(step, now));
          }
          // Each change is told once, and they alternate.
          expect(changes).toEqual(changes.map((_, i) => i % 2 === 0));
        },
      ),
    );
  });
});
