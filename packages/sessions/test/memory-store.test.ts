import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/index.js';
import { itKeepsTheStoreContract } from './store-contract.js';

describe('memoryStore', () => {
  const clock = testClock(1_000_000);
  const store = memoryStore({ now: clock.now });
  itKeepsTheStoreContract(
    () => store,
    async (ms) => clock.advance(ms),
  );

  it('forgets those that were not used for longest rather than grow', async () => {
    const small = memoryStore({ maxSessions: 10 });
    const at = (name: string | number) => ({ tag: `${name}`, handle: `${name}` });
    await small.create(at('kept'), '1\n{\n}', 60_000);
    await small.create(at('lost'), '1\n{\n}', 60_000);
    for (let index = 0; index < 50; index++) {
      await small.create(at(index), '1\n{\n}', 60_000);
      expect(small.read(at('kept'), 60_000)).toBe('1\n{\n}');
    }
    expect(small.read(at('lost'), 60_000)).toBe(undefined);
  });

  it.each([
    [{ maxSessions: 0 }, 'memoryStore: "maxSessions" must be an integer of at least 1, got 0'],
    [{ now: 5 }, 'memoryStore: "now" must be a function, got 5'],
    [{ maxsessions: 5 }, 'memoryStore: "maxsessions" is not an option; did you mean "maxSessions"?'],
    [null, 'memoryStore: "options" must be an object, got null'],
  ])('refuses %o', (options, message) => {
    expect(() => memoryStore(options as never)).toThrow(new TypeError(message));
  });
});
