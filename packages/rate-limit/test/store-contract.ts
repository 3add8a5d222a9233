import { describe, expect, it } from 'vitest';
import type { Ask, RateLimitStore, Standing } from '../src/index.js';
import { limitOf } from '../src/limit.js';
import { parseRate } from '../src/rate.js';

let serial = 0;

/** A limit that no other test counts in. */
function ask(rate: string, { cost = 1, shadow = false, who = 'alice' } = {}): Ask {
  serial += 1;
  return { limit: limitOf(`zone${serial}`, parseRate(rate), shadow), who, cost };
}

/** What every store does. `wait` lets time pass on the store's clock. */
export function itKeepsTheStoreContract(
  openStore: () => RateLimitStore,
  wait: (ms: number) => Promise<void>,
): void {
  const taking = (asks: readonly Ask[]): Promise<readonly Standing[]> =>
    Promise.resolve(openStore().take(asks));
  const passes = async (each: Ask): Promise<boolean> => (await taking([each]))[0]?.retryMs === 0;
  const countPassed = async (times: number, each: Ask): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: times }, () => passes(each)));
    return answers.filter(Boolean).length;
  };

  describe.each(['5/h', '5/h sliding', '3/h burst 4'])('with %s', (rate) => {
    it('lets the limit through and no more, however many come at once', async () => {
      const each = ask(rate);
      expect(await countPassed(40, each)).toBe(5);
    });

    it('says what remains, and when it may come again', async () => {
      const each = ask(rate);
      const [first] = await taking([each]);
      expect(first).toMatchObject({ remaining: 4, retryMs: 0 });
      expect(first?.resetMs).toBeGreaterThan(1_000_000);
      await countPassed(4, each);
      const [refused] = await taking([each]);
      expect(refused?.remaining).toBe(0);
      expect(refused?.retryMs).toBeGreaterThan(1_000_000);
      expect(refused?.retryMs).toBeLessThanOrEqual(refused?.resetMs ?? 0);
    });

    it('counts callers apart', async () => {
      const each = ask(rate);
      await countPassed(5, each);
      expect(await passes(each)).toBe(false);
      expect(await passes({ ...each, who: 'bob' })).toBe(true);
    });

    it('charges what a request costs, and lets what costs less through where that still fits', async () => {
      const each = ask(rate);
      expect(await passes({ ...each, cost: 3 })).toBe(true);
      expect(await passes({ ...each, cost: 3 })).toBe(false);
      expect(await passes({ ...each, cost: 2 })).toBe(true);
      expect(await passes(each)).toBe(false);
    });

    it('takes back what was charged, once', async () => {
      const each = ask(rate);
      await countPassed(4, each);
      const standings = await taking([each]);
      expect(await passes(each)).toBe(false);
      await openStore().refund([each], standings);
      expect(await countPassed(3, each)).toBe(1);
    });

    it('forgets a caller on demand, and one it never saw', async () => {
      const each = ask(rate);
      await countPassed(5, each);
      await openStore().reset([each.limit], each.who);
      await openStore().reset([each.limit], 'nobody');
      expect(await countPassed(10, each)).toBe(5);
    });

    it('charges none of several limits when one refuses', async () => {
      const [full, other] = [ask(rate), ask('5/h')];
      await countPassed(5, full);
      for (let times = 0; times < 10; times++) await taking([other, full]);
      expect(await countPassed(10, other)).toBe(5);
    });

    it('never refuses in shadow mode, and says when it would have', async () => {
      const shadow = ask(rate, { shadow: true });
      const other = ask('50/h');
      for (let times = 0; times < 5; times++) await taking([shadow, other]);
      const [over, charged] = await taking([shadow, other]);
      expect(over?.retryMs).toBeGreaterThan(0);
      expect(charged).toMatchObject({ remaining: 44, retryMs: 0 });
    });
  });

  it('opens a fixed window anew when it has ended, all of it', async () => {
    const each = ask('3/250ms');
    expect(await countPassed(5, each)).toBe(3);
    await wait(260);
    expect(await countPassed(5, each)).toBe(3);
  });

  it('lets a bucket drain evenly', async () => {
    // One drains in 200 ms.
    const each = ask('5/s burst 2');
    expect(await countPassed(5, each)).toBe(3);
    await wait(220);
    expect(await countPassed(5, each)).toBe(1);
  });

  it('lets requests come again when those before are out of a sliding window, one by one', async () => {
    const each = ask('2/600ms sliding');
    expect(await passes(each)).toBe(true);
    await wait(300);
    expect(await countPassed(2, each)).toBe(1);
    await wait(320);
    expect(await countPassed(2, each)).toBe(1);
  });

  it('tells how long to wait, and lets pass who has waited', async () => {
    for (const rate of ['1/200ms', '5/s burst 0', '1/200ms sliding']) {
      const each = ask(rate);
      await passes(each);
      const [refused] = await taking([each]);
      expect(refused?.retryMs).toBeGreaterThan(0);
      await wait((refused?.retryMs ?? 0) + 2);
      expect(await passes(each)).toBe(true);
    }
  });

  it('does not credit a window with what was charged to the one before', async () => {
    const each = ask('2/200ms');
    const standings = await taking([each]);
    await wait(210);
    expect(await countPassed(5, each)).toBe(2);
    await openStore().refund([each], standings);
    expect(await passes(each)).toBe(false);
  });

  it('keeps large numbers and long windows', async () => {
    const each = ask('1000000000/52w');
    expect((await taking([each]))[0]).toMatchObject({ remaining: 999_999_999, retryMs: 0 });
    const endless = ask('1000000000000/9007199254740991ms');
    expect((await taking([endless]))[0]).toMatchObject({ remaining: 999_999_999_999, retryMs: 0 });
    const fast = ask('1000000/s burst 1000000');
    expect((await taking([{ ...fast, cost: 1_000_000 }]))[0]).toMatchObject({ retryMs: 0 });
  });
}
