import { testClock } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { memoryTokenStore, type VerifiedToken } from '../src/index.js';
import { itKeepsTheTokenStoreContract } from './token-store-contract.js';

const HOUR_MS = 3_600_000;

describe('memoryTokenStore', () => {
  const clock = testClock(1_700_000_000_000);
  const store = memoryTokenStore({ now: clock.now });
  itKeepsTheTokenStoreContract(
    () => store,
    async (ms) => clock.advance(ms),
  );

  it('when it is full refuses rather what is valid than it lets in what was revoked', async () => {
    const clock = testClock(1_700_000_000_000);
    const small = memoryTokenStore({ maxEntries: 10, now: clock.now });
    const token = { subject: 'ada', id: 'the first', issuedAtMs: clock.now() } as VerifiedToken;
    clock.advance(5);
    await small.revoke('ada', 'the first', HOUR_MS);
    clock.advance(5);
    for (let index = 0; index < 100; index++) await small.revoke('eve', `token ${index}`, HOUR_MS);
    expect(await small.isRevoked(token)).toBe(true);

    const after = await small.open('ada', 'family', 'id', HOUR_MS);
    expect(await small.isRevoked({ subject: 'ada', issuedAtMs: after } as VerifiedToken)).toBe(false);
  });

  it('when it is full has those sign in again who have not come for longest', async () => {
    const small = memoryTokenStore({ maxEntries: 10 });
    const opened = async (family: string): Promise<number> => small.open('ada', family, 'id', HOUR_MS);
    const outcomeOf = async (family: string, issuedAtMs: number): Promise<string> => {
      const ids = { subject: 'ada', chain: family, family, id: 'id', successorId: 'id', successor: '' };
      return (await small.rotate({ ...ids, issuedAtMs, graceMs: 0, ttlMs: HOUR_MS, goneMs: HOUR_MS }))
        .outcome;
    };
    const first = await opened('first');
    const second = await opened('second');
    for (let index = 0; index < 20; index++) {
      await opened(`family ${index}`);
      expect(await outcomeOf('second', second)).toBe('rotated');
    }
    expect(await outcomeOf('first', first)).toBe('revoked');
  });

  it('goes on when the clock is put back', async () => {
    let nowMs = 1_700_000_000_000;
    const own = memoryTokenStore({ now: () => nowMs });
    await own.revokeSubject('ada', false, HOUR_MS);
    nowMs -= 60_000;
    const issuedAtMs = await own.open('ada', 'family', 'id', HOUR_MS);
    expect(await own.isRevoked({ subject: 'ada', issuedAtMs } as VerifiedToken)).toBe(false);
  });

  it.each([
    [{ maxEntries: 3 }, 'memoryTokenStore: "maxEntries" must be an integer of at least 4, got 3'],
    [{ now: 5 }, 'memoryTokenStore: "now" must be a function, got 5'],
    [{ maxEntrys: 5 }, 'memoryTokenStore: "maxEntrys" is not an option; did you mean "maxEntries"?'],
  ])('refuses %o', (options, message) => {
    expect(() => memoryTokenStore(options as never)).toThrow(new TypeError(message));
  });
});
