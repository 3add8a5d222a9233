import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { limitOf } from '../src/limit.js';
import { memoryStore, parseRate, type Ask, type RateLimitStore } from '../src/index.js';
import { itKeepsTheStoreContract } from './store-contract.js';

describe('memoryStore', () => {
  const clock = testClock(1_000_000);
  const store = memoryStore({ now: clock.now });
  itKeepsTheStoreContract(
    () => store,
    async (ms) => clock.advance(ms),
  );

  const api = limitOf('api', parseRate('10/h'), false);
  const take = (from: RateLimitStore, who: string, cost = 1): number => {
    const standings = from.take([{ limit: api, who, cost }] satisfies Ask[]);
    if (standings instanceof Promise) throw new Error('the memory store answers at once');
    return standings[0]?.retryMs ?? 0;
  };

  it('does not forget who is over the limit, however many strangers pass by', () => {
    const small = memoryStore({ maxKeys: 100 });
    take(small, 'attacker', 10);
    for (let index = 0; index < 10_000; index++) take(small, `invented-${index}`);
    expect(take(small, 'attacker')).toBeGreaterThan(0);
  });

  it('forgets strangers rather than grow', () => {
    const small = memoryStore({ maxKeys: 100 });
    take(small, 'stranger', 4);
    expect(take(small, 'stranger', 9)).toBeGreaterThan(0);
    for (let index = 0; index < 200; index++) take(small, `other-${index}`);
    expect(take(small, 'stranger', 9)).toBe(0);
  });

  it('keeps who goes on coming', () => {
    const small = memoryStore({ maxKeys: 100 });
    take(small, 'regular', 3);
    for (let index = 0; index < 1_000; index++) {
      take(small, `other-${index}`);
      if (index % 20 === 0) expect(take(small, 'regular', 8)).toBeGreaterThan(0);
    }
  });

  it('says of a window that begins that it is as long as it is, whatever the clock shows', () => {
    const minute = limitOf('minute', parseRate('5/m'), false);
    for (let now = 0.1; now < 1e6; now = now * 1.01 + 0.1) {
      const standings = memoryStore({ now: () => now }).take([{ limit: minute, who: 'x', cost: 1 }]);
      expect(standings).toMatchObject([{ resetMs: 60_000 }]);
    }
  });

  it.each([
    [{ maxKeys: 3 }, 'memoryStore: "maxKeys" must be an integer of at least 4, got 3'],
    [{ maxKeys: Number.NaN }, 'memoryStore: "maxKeys" must be an integer of at least 4, got NaN'],
    [{ now: 5 }, 'memoryStore: "now" must be a function, got 5'],
    [{ maxkeys: 5 }, 'memoryStore: "maxkeys" is not an option; did you mean "maxKeys"?'],
    [null, 'memoryStore: "options" must be an object, got null'],
  ])('refuses %o', (options, message) => {
    expect(() => memoryStore(options as never)).toThrow(new TypeError(message));
  });
});
