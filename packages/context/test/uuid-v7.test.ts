import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uuidV7Generator } from '../src/uuid-v7.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function timestampOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

describe('uuidV7Generator', () => {
  it('writes the time of RFC 9562, appendix A.6, as there', () => {
    expect(uuidV7Generator(() => 0x017f22e279b0)()).toMatch(/^017f22e2-79b0-7/);
  });

  it('gives ids in order whatever the clock does, each of them once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 ** 48 - 2 ** 20 }), { minLength: 1, maxLength: 200 }),
        (times) => {
          let i = 0;
          const next = uuidV7Generator(() => times[i++ % times.length] ?? 0);
          const ids = Array.from({ length: 300 }, () => next());

          expect(ids.every((id) => UUID_V7.test(id))).toBe(true);
          expect(ids.toSorted()).toEqual(ids);
          expect(new Set(ids).size).toBe(ids.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('goes on in order when it has counted to the end within a millisecond', () => {
    const next = uuidV7Generator(() => 1_000);
    const ids = Array.from({ length: 20_000 }, () => next());

    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    // At least 2 048 of them fit into a millisecond.
    expect(timestampOf(ids.at(-1) ?? '')).toBeLessThanOrEqual(1_000 + 10);
  });

  it('shows the time at which it was made', () => {
    const before = Date.now();
    const id = uuidV7Generator()();

    expect(timestampOf(id)).toBeGreaterThanOrEqual(before);
    expect(timestampOf(id)).toBeLessThanOrEqual(Date.now());
  });
});
