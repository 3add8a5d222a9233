import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRate } from '../src/index.js';
import { inWords, writeRate } from '../src/rate.js';

describe('parseRate', () => {
  it.each([
    ['10/s', { limit: 10, windowMs: 1_000 }],
    ['10 / s', { limit: 10, windowMs: 1_000 }],
    ['5/15m', { limit: 5, windowMs: 900_000 }],
    ['5/1.5h', { limit: 5, windowMs: 5_400_000 }],
    ['1/250ms', { limit: 1, windowMs: 250 }],
    ['3/d', { limit: 3, windowMs: 86_400_000 }],
    ['3/2w', { limit: 3, windowMs: 1_209_600_000 }],
    ['10/s burst 20', { limit: 10, windowMs: 1_000, burst: 20 }],
    ['10/s  burst   0', { limit: 10, windowMs: 1_000, burst: 0 }],
    ['100/h sliding', { limit: 100, windowMs: 3_600_000, sliding: true }],
  ])('reads %s', (text, rate) => {
    expect(parseRate(text)).toEqual(rate);
    expect(parseRate(rate)).toEqual(rate);
  });

  it.each([
    '',
    '10',
    '10/',
    '/s',
    '0/s',
    '-1/s',
    '1.5/s',
    '1e3/s',
    '010/s',
    '10/0s',
    '10/01s',
    '10/0.3ms',
    '10/y',
    '10/S',
    '10/s burst',
    '10/s burst -1',
    '10/s burst 1.5',
    '10/s burst 20 sliding',
    '10/s  sliding sliding',
    ' 10/s',
    '10/s\n',
    '10/s;rate=1',
    '99999999999999999999/s',
    '10/99999999999999999999w',
    '１０/s',
  ])('refuses %j', (text) => {
    expect(() => parseRate(text)).toThrow(
      new TypeError(
        `parseRate: "rate" must be a rate such as 10/s, 5/15m, 10/s burst 20 or 100/h sliding, got ${JSON.stringify(text)}`,
      ),
    );
  });

  it.each([undefined, null, 7, true, [], Symbol('rate')])('refuses %s, which is no text', (value) => {
    expect(() => parseRate(value as never)).toThrow(TypeError);
  });

  it.each([
    [{ limit: 0, windowMs: 1 }, 'parseRate: "rate.limit" must be an integer of at least 1, got 0'],
    [{ limit: 1, windowMs: 0.5 }, 'parseRate: "rate.windowMs" must be an integer of at least 1, got 0.5'],
    [{ limit: 1 }, 'parseRate: "rate.windowMs" must be an integer of at least 1, got undefined'],
    [
      { limit: 1, windowMs: 1, burst: -1 },
      'parseRate: "rate.burst" must be an integer of at least 0, got -1',
    ],
    [
      { limit: 1, windowMs: 1, window: 1 },
      'parseRate: "rate": "window" is not an option; did you mean "windowMs"?',
    ],
    [
      { limit: 1, windowMs: 1, burst: 1, sliding: true },
      'parseRate: "rate" must be sliding or have a burst, not both',
    ],
  ])('refuses %o', (rate, message) => {
    expect(() => parseRate(rate as never)).toThrow(new TypeError(message));
  });

  it('reads what it writes, and throws nothing but a TypeError at whatever else', () => {
    const units = fc.constantFrom(1, 1_000, 60_000, 3_600_000, 86_400_000, 604_800_000);
    const rates = fc.record(
      {
        limit: fc.integer({ min: 1 }),
        windowMs: fc.tuple(units, fc.integer({ min: 1, max: 1_000 })).map(([unit, count]) => unit * count),
        burst: fc.nat(),
      },
      { requiredKeys: ['limit', 'windowMs'] },
    );
    fc.assert(
      fc.property(rates, (rate) => {
        expect(parseRate(writeRate(rate))).toEqual(rate);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.anything()), (value) => {
        try {
          parseRate(value as never);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });

  it('is not slowed down by a long text', () => {
    const started = performance.now();
    expect(() => parseRate(`${'1'.repeat(1_000_000)}/s`)).toThrow(TypeError);
    expect(() => parseRate(`1/s${' '.repeat(1_000_000)}`)).toThrow(TypeError);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('times are told', () => {
  it.each([
    [250, '250 milliseconds'],
    [1_000, '1 second'],
    [59_001, '1 minute'],
    [90_000, '90 seconds'],
    [900_000, '15 minutes'],
    [3_600_000, '1 hour'],
    [86_400_000, '1 day'],
    [172_800_000, '2 days'],
  ])('%i ms as %s', (ms, words) => {
    expect(inWords(ms)).toBe(words);
  });
});
