import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { historyKeeper, type HistoryKeeper } from '../src/accounts/history-keeper.js';
import { history } from '../src/accounts/history.js';
import { users } from '../src/accounts/users.js';
import { createLogger } from '@signalbox/logging';
import { background } from '../src/background.js';
import { sharedDatabase } from './shared-database.js';

const database = sharedDatabase();
let serial = 0;

/** Somebody new, and the keepers of two processes. */
async function somebody(): Promise<{
  keepers: readonly [HistoryKeeper, HistoryKeeper];
  id: string;
  search: (keeper: HistoryKeeper, query: string) => void;
  kept: () => Promise<string[]>;
  done: () => Promise<void>;
}> {
  serial += 1;
  const id = `u_${serial}`;
  await database().query(`insert into users (id, email, password_hash) values ($1, $1, '')`, [id]);
  const work = background(createLogger({ level: 'silent' }));
  const searches = history(database());
  const keeper = (): HistoryKeeper => historyKeeper({ users: users(database()), history: searches }, work);
  const asker = { id, email: undefined, roles: ['user'], method: 'session', signedInAt: undefined } as const;
  return {
    keepers: [keeper(), keeper()],
    id,
    search: (keeper, query) => keeper.searched(asker, query),
    kept: async () => (await searches.list(id, { limit: 100 })).map(({ query }) => query),
    done: () => work.close(),
  };
}

describe('searches', () => {
  it('are kept of who wants that, and of nobody else', async () => {
    const { keepers, id, search, kept, done } = await somebody();
    const [keeper] = keepers;
    search(keeper, 'before');
    await done();
    await keeper.setWish(id, true);
    search(keeper, 'wanted');
    await done();
    expect(await kept()).toEqual(['wanted']);
  });

  it('are kept at once by the process that was told, and by none that was not when they are not wanted any more', async () => {
    const step = fc.record({
      what: fc.constantFrom('search', 'search', 'want', 'refuse'),
      by: fc.constantFrom(0, 1),
      isWaitedFor: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
        const { keepers, id, search, kept, done } = await somebody();
        const wishing: Promise<void>[] = [];
        const mayNotBe: string[] = [];
        const mustBe: string[] = [];
        let wish = false;
        let toldTo = -1;
        for (const [index, { what, by, isWaitedFor }] of steps.entries()) {
          const keeper = keepers[by];
          if (what === 'search') {
            const query = `search ${index}`;
            if (wishing.length === 0 && !wish) mayNotBe.push(query);
            if (wishing.length === 0 && wish && toldTo === by) mustBe.push(query);
            search(keeper, query);
            if (isWaitedFor) await done();
            continue;
          }
          // One after the other, and not while a search is under way that may come after it.
          await Promise.all(wishing.splice(0));
          await done();
          wish = what === 'want';
          toldTo = by;
          wishing.push(keeper.setWish(id, wish));
          if (isWaitedFor) await Promise.all(wishing.splice(0));
        }
        await Promise.all(wishing);
        await done();
        const found = await kept();
        expect(found.filter((query) => mayNotBe.includes(query))).toEqual([]);
        expect(mustBe.filter((query) => !found.includes(query))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('come the newest first, page by page', async () => {
    const { id } = await somebody();
    await database().query(
      `insert into searches (user_id, query) select $1, n::text from generate_series(1, 120) n`,
      [id],
    );
    const found: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await history(database()).list(id, { limit: 7, before });
      found.push(...page.map(({ query }) => query));
      before = page.at(-1)?.id;
      if (before === undefined) break;
    }
    expect(found).toEqual(Array.from({ length: 120 }, (_each, index) => String(120 - index)));
  });

  it('of who has searched more than a thousand times lose the oldest', async () => {
    const { keepers, id, search, kept, done } = await somebody();
    const [keeper] = keepers;
    await keeper.setWish(id, true);
    await database().query(
      `insert into searches (user_id, query) select $1, 'old ' || n from generate_series(1, 1000) n`,
      [id],
    );
    search(keeper, 'new');
    await done();
    const { rows } = await database().query<{ count: number; oldest: string }>(
      `select count(*)::int as count, (array_agg(query order by id))[1] as oldest from searches where user_id = $1`,
      [id],
    );
    expect(rows).toEqual([{ count: 1_000, oldest: 'old 2' }]);
    expect((await kept())[0]).toBe('new');
  });
});
