import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { memoryIdempotencyStore, type Claim, type MemoryIdempotencyStoreOptions } from '../src/index.js';
import { itKeepsTheIdempotencyContract } from './idempotency-store-contract.js';

const CLAIM: Claim = { holder: 'me', fingerprint: 'print', lockSeconds: 10 };

describe('memoryIdempotencyStore', () => {
  const clock = testClock(1_000_000);
  itKeepsTheIdempotencyContract(
    () => memoryIdempotencyStore({ now: clock.now }),
    async (ms) => clock.advance(ms),
  );

  it('makes room for the new by the answers that were kept longest', async () => {
    const store = memoryIdempotencyStore({ maxKeys: 3 });
    for (const id of ['a', 'b', 'c', 'd']) {
      expect(await store.begin(id, CLAIM)).toEqual({ state: 'claimed' });
      await store.finish(id, 'me', 'answer', 60);
    }

    expect(await store.begin('d', CLAIM)).toMatchObject({ state: 'done' });
    expect(await store.begin('a', CLAIM)).toMatchObject({ state: 'claimed' });
  });

  it('has a bound for all answers together', async () => {
    const store = memoryIdempotencyStore({ maxBytes: 1_000 });
    for (const id of ['a', 'b', 'c']) {
      await store.begin(id, CLAIM);
      await store.finish(id, 'me', 'x'.repeat(200), 60);
    }

    expect(await store.begin('a', CLAIM)).toMatchObject({ state: 'claimed' });
    expect(await store.begin('b', CLAIM)).toMatchObject({ state: 'done' });
    expect(await store.begin('c', CLAIM)).toMatchObject({ state: 'done' });
  });

  it('never forgets what is being worked on: it refuses the new until there is room', async () => {
    const clock = testClock(1_000_000);
    const store = memoryIdempotencyStore({ maxKeys: 2, now: clock.now });
    await store.begin('a', CLAIM);
    await store.begin('b', CLAIM);

    await expect(store.begin('c', CLAIM)).rejects.toMatchObject({
      status: 503,
      code: 'idempotency_unavailable',
    });
    expect(await store.begin('a', CLAIM)).toMatchObject({ state: 'running' });
    clock.advance(11_000);
    expect(await store.begin('c', CLAIM)).toEqual({ state: 'claimed' });
  });

  it.each([
    [{ maxKeys: 0 }, '"maxKeys" must be an integer of at least 1, got 0'],
    [{ maxBytes: -1 }, '"maxBytes" must be an integer of at least 1, got -1'],
    [{ now: 5 }, '"now" must be a function, got 5'],
    [{ maxkeys: 5 }, '"maxkeys" is not an option; did you mean "maxKeys"?'],
  ])('refuses %j', (options, message) => {
    expect(() => memoryIdempotencyStore(options as MemoryIdempotencyStoreOptions)).toThrow(
      new TypeError(`memoryIdempotencyStore: ${message}`),
    );
  });
});
