import { describe, expect, it } from 'vitest';
import type { UsageCount, UsageStore, UsageStoreOptions } from '../src/index.js';

const DAY_MS = 86_400_000;
/** Noon of a day, so that tests near it stay within it. */
const NOON = Date.parse('2026-07-01T12:00:00Z');

let serial = 0;

/** What every store does. `open` gives a store of its own to each name, and the same one to the same name. */
export function itKeepsTheUsageStoreContract(
  open: (name: string, options: UsageStoreOptions) => UsageStore,
): void {
  let clock = NOON;

  function store(options: UsageStoreOptions = {}): UsageStore {
    serial += 1;
    clock = NOON;
    return open(`store${serial}`, { now: () => clock, ...options });
  }

  function count(consumer: string, calls = 1, lastSeenMs = clock, firstSeenMs = lastSeenMs): UsageCount {
    return { version: 'v1', consumer, route: '/api/v1/search', calls, firstSeenMs, lastSeenMs };
  }

  function batch(...counts: readonly UsageCount[]) {
    serial += 1;
    return { id: `batch${serial}`, counts };
  }

  async function rows(of: UsageStore): Promise<UsageCount[]> {
    return (await of.read()).toSorted((one, other) => one.consumer.localeCompare(other.consumer, 'en'));
  }

  describe('a usage store', () => {
    it('has nothing at first', async () => {
      expect(await store().read()).toEqual([]);
    });

    it('adds up, and keeps when it was first and last', async () => {
      const kept = store();
      await kept.add(batch(count('ann', 2, NOON + 1_000, NOON), count('bob')));
      await kept.add(batch(count('ann', 3, NOON + 5_000, NOON + 2_000)));
      expect(await rows(kept)).toEqual([count('ann', 5, NOON + 5_000, NOON), count('bob')]);
    });

    it('loses nothing of what is added at the same time', async () => {
      const kept = store();
      await Promise.all(
        Array.from({ length: 50 }, async () => kept.add(batch(count('ann'), count('bob', 2)))),
      );
      expect((await rows(kept)).map(({ calls }) => calls)).toEqual([50, 100]);
    });

    it('adds the same batch once', async () => {
      const kept = store();
      const same = batch(count('ann'), ...Array.from({ length: 600 }, (_, index) => count(`c${index}`)));
      await kept.add(same);
      await kept.add(same);
      const all = await rows(kept);
      expect(all).toHaveLength(601);
      expect(all.every(({ calls }) => calls === 1)).toBe(true);
    });

    it('adds days up, and forgets them when their time is over', async () => {
      const kept = store({ retentionDays: 3 });
      await kept.add(batch(count('ann', 1)));
      await kept.add(batch(count('ann', 10, NOON + DAY_MS)));
      clock = NOON + 2 * DAY_MS;
      expect(await rows(kept)).toEqual([count('ann', 11, NOON + DAY_MS, NOON)]);
      clock = NOON + 3 * DAY_MS;
      expect(await rows(kept)).toEqual([count('ann', 10, NOON + DAY_MS)]);
      clock = NOON + 4 * DAY_MS;
      expect(await rows(kept)).toEqual([]);
    });

    it('is bounded, and loses the consumers beyond and not their calls', async () => {
      const kept = store({ maxRows: 5 });
      const many = Array.from({ length: 100 }, (_, index) => count(`c${index}`));
      await kept.add(batch(...many));
      await kept.add(batch(count('c0', 7), count('c99')));
      const all = await rows(kept);
      expect(all).toHaveLength(6);
      expect(all.find(({ consumer }) => consumer === 'c0')?.calls).toBe(8);
      expect(all.find(({ consumer }) => consumer === '__overflow__')).toMatchObject({
        calls: 96,
        version: 'v1',
        route: '/api/v1/search',
      });
    });

    it('is bounded where routes are made up, too', async () => {
      const kept = store({ maxRows: 5 });
      const many = Array.from({ length: 100 }, (_, index) => ({
        ...count(`c${index}`),
        route: `/r${index}`,
      }));
      await kept.add(batch(...many));
      const all = await rows(kept);
      expect(all.length).toBeLessThanOrEqual(11);
      expect(all.reduce((sum, { calls }) => sum + calls, 0)).toBe(100);
      expect(all.find(({ route }) => route === '__overflow__')).toMatchObject({ version: '__overflow__' });
    });

    it('keeps apart what reads alike, whatever names are made of', async () => {
      const kept = store();
      const odd = ['a b', 'a\nb', '["a","b"]', 'ü€😀', '__proto__', '%', '{x}', '"', '\\', ' '];
      await kept.add(batch(...odd.map((consumer) => count(consumer))));
      expect((await kept.read()).map(({ consumer }) => consumer).toSorted()).toEqual(odd.toSorted());
    });
  });
}
