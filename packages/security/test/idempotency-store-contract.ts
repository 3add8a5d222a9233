import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Claim, IdempotencyStore } from '../src/index.js';

/** What every store keeps. `wait` lets at least so many milliseconds pass for the store. */
export function itKeepsTheIdempotencyContract(
  openStore: () => IdempotencyStore,
  wait: (ms: number) => Promise<void>,
): void {
  const claimOf = (holder: string, fingerprint = 'print', lockSeconds = 30): Claim => ({
    holder,
    fingerprint,
    lockSeconds,
  });

  it('gives a claim to one of many that begin at the same time', async () => {
    const store = openStore();
    const id = randomUUID();
    const begun = await Promise.all(Array.from({ length: 50 }, (_, i) => store.begin(id, claimOf(`${i}`))));

    expect(begun.filter(({ state }) => state === 'claimed')).toHaveLength(1);
    expect(begun.filter(({ state }) => state === 'running')).toHaveLength(49);
  });

  it('answers with what was finished, and with whose request that was', async () => {
    const store = openStore();
    const id = randomUUID();
    await store.begin(id, claimOf('a', 'first'));
    expect(await store.begin(id, claimOf('b', 'other'))).toEqual({ state: 'running', fingerprint: 'first' });

    expect(await store.finish(id, 'a', '{"ä":"ü\\u0000"}', 30)).toBe(true);
    expect(await store.begin(id, claimOf('b', 'other'))).toEqual({
      state: 'done',
      fingerprint: 'first',
      answer: '{"ä":"ü\\u0000"}',
    });
  });

  it('lets the next one begin after a release', async () => {
    const store = openStore();
    const id = randomUUID();
    await store.begin(id, claimOf('a'));
    await store.release(id, 'a');

    expect(await store.begin(id, claimOf('b'))).toEqual({ state: 'claimed' });
  });

  it('takes neither an answer nor a release from who does not hold the claim', async () => {
    const store = openStore();
    const id = randomUUID();
    expect(await store.finish(id, 'nobody', 'answer', 30)).toBe(false);
    await store.release(id, 'nobody');
    await store.begin(id, claimOf('a'));
    await store.release(id, 'b');

    expect(await store.finish(id, 'b', 'answer', 30)).toBe(false);
    expect(await store.begin(id, claimOf('c'))).toMatchObject({ state: 'running' });
  });

  it('changes no answer any more', async () => {
    const store = openStore();
    const id = randomUUID();
    await store.begin(id, claimOf('a'));
    await store.finish(id, 'a', 'first', 30);
    await store.release(id, 'a');

    expect(await store.finish(id, 'a', 'second', 30)).toBe(false);
    expect(await store.begin(id, claimOf('b'))).toMatchObject({ state: 'done', answer: 'first' });
  });

  it('ends the claim of a holder that is gone, and takes nothing from it afterwards', async () => {
    const store = openStore();
    const id = randomUUID();
    await store.begin(id, claimOf('gone', 'print', 1));
    await wait(1_100);

    expect(await store.begin(id, claimOf('next'))).toEqual({ state: 'claimed' });
    expect(await store.finish(id, 'gone', 'late', 30)).toBe(false);
    await store.release(id, 'gone');
    expect(await store.finish(id, 'next', 'answer', 30)).toBe(true);
  });

  it('forgets an answer when its time is over', async () => {
    const store = openStore();
    const id = randomUUID();
    await store.begin(id, claimOf('a'));
    await store.finish(id, 'a', 'answer', 1);
    await wait(1_100);

    expect(await store.begin(id, claimOf('b'))).toEqual({ state: 'claimed' });
  });

  it('has one holder at a time, and one answer at last, whatever happens in whatever order', async () => {
    const store = openStore();
    const step = fc.record({
      holder: fc.integer({ min: 0, max: 4 }),
      does: fc.constantFrom('begin', 'finish', 'release'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const id = randomUUID();
        let holder: string | undefined;
        let answer: string | undefined;
        for (const { holder: number, does } of steps) {
          const me = String(number);
          if (does === 'begin') {
            const { state } = await store.begin(id, claimOf(me));
            expect(state).toBe(answer !== undefined ? 'done' : holder === undefined ? 'claimed' : 'running');
            if (state === 'claimed') holder = me;
          } else if (does === 'finish') {
            if (answer !== undefined) continue;
            const isMine = holder === me;
            expect(await store.finish(id, me, `by ${me}`, 30)).toBe(isMine);
            if (isMine) answer = `by ${me}`;
          } else {
            await store.release(id, me);
            if (holder === me && answer === undefined) holder = undefined;
          }
        }
        if (answer !== undefined) expect(await store.begin(id, claimOf('9'))).toMatchObject({ answer });
      }),
      { numRuns: 30 },
    );
  });
}
