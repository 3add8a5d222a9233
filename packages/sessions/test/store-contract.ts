import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Change, Ownership, SessionPlace, SessionStore } from '../src/index.js';
import { bodyOf, changesBetween, readText, textOf } from '../src/session-text.js';

const IDLE_MS = 60_000;
const MAX_BYTES = 65_536;

const name = (): string => randomBytes(16).toString('base64url');
const place = (tag: string = name()): SessionPlace => ({ tag, handle: name() });
const text = (data: object, createdAtMs = 1_000): string => textOf(createdAtMs, bodyOf(data));
const owner = (createdAtMs: number, limits: Partial<Ownership> = {}): Ownership => ({
  entry: `${createdAtMs} test`,
  tooOldMs: 0,
  keptMs: 600_000,
  max: 0,
  refuse: false,
  ...limits,
});
const changes = (before: object, after: object, isExact = false): Change[] =>
  changesBetween(bodyOf(before), bodyOf(after), isExact);

/** What every store does. `wait` lets time pass on the store's clock. */
export function itKeepsTheStoreContract(open: () => SessionStore, wait: (ms: number) => Promise<void>): void {
  const dataAt = async (where: SessionPlace): Promise<unknown> =>
    readText((await open().read(where, IDLE_MS)) ?? '')?.data;
  const update = (where: SessionPlace, what: Change[], maxBytes = MAX_BYTES) =>
    open().update(where, what, IDLE_MS, maxBytes);

  it('gives back what was kept, to the letter', async () => {
    const where = place();
    const data = {
      none: [],
      big: Number.MAX_SAFE_INTEGER,
      half: '\ud800 and \u0000 and \n and "quotes": {,}',
      'a key": {\n,': { nested: [[], {}, null, -0.5, 1e300] },
      '': true,
    };
    expect(await open().create(where, text(data), IDLE_MS)).toBe(0);
    expect(await dataAt(where)).toEqual(data);
    expect(await update(where, changes({}, { more: [] }))).toBe('saved');
    expect(await dataAt(where)).toEqual({ ...data, more: [] });
  });

  it('has nothing where nothing was kept', async () => {
    expect((await open().read(place(), IDLE_MS)) ?? undefined).toBe(undefined);
    expect(await update(place(), changes({}, { a: 1 }))).toBe('gone');
    expect(await open().end(place())).toBe(false);
    expect(await open().list(name())).toEqual([]);
    expect(await open().endAll(name())).toBe(0);
  });

  it('changes the keys it is told to, and no others', async () => {
    const where = place();
    await open().create(where, text({ a: 1, ab: 2, b: 3 }), IDLE_MS);
    await Promise.all([
      update(where, changes({ a: 1, b: 3 }, { a: 'new', b: 3 })),
      update(where, changes({ b: 3 }, {})),
      update(where, changes({}, { c: [1] })),
    ]);
    expect(await dataAt(where)).toEqual({ a: 'new', ab: 2, c: [1] });
    await update(where, changes({ a: 0, ab: 0, c: 0 }, {}));
    expect(await dataAt(where)).toEqual({});
    await update(where, changes({}, { again: 1 }));
    expect(await dataAt(where)).toEqual({ again: 1 });
  });

  it('refuses a change of what is no longer so, where it is asked to', async () => {
    const where = place();
    await open().create(where, text({ n: 1 }), IDLE_MS);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_each, index) => update(where, changes({ n: 1 }, { n: index + 2 }, true))),
    );
    expect(outcomes.filter((outcome) => outcome === 'saved')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(7);
    expect(await update(where, changes({}, { fresh: 1 }, true))).toBe('saved');
    expect(await update(where, changes({}, { fresh: 2 }, true))).toBe('conflict');
  });

  it('creates a place once, and never again after its end', async () => {
    const where = place();
    expect(await open().create(where, text({ a: 1 }), IDLE_MS)).toBe(0);
    expect(await open().create(where, text({ a: 1 }), IDLE_MS)).toBe(0);
    expect(await open().create(where, text({ a: 2 }), IDLE_MS)).toBe('exists');
    expect(await open().end(where)).toBe(true);
    expect(await open().end(where)).toBe(false);
    expect(await open().read(where, IDLE_MS)).toBe('');
    expect(await open().create(where, text({ a: 1 }), IDLE_MS)).toBe('exists');
    expect(await update(where, changes({}, { a: 1 }))).toBe('gone');
    expect(await open().read(where, IDLE_MS)).toBe('');
  });

  it('does not create what was ended before it came', async () => {
    const where = place();
    await open().end(where);
    expect(await open().create(where, text({}), IDLE_MS, owner(1))).toBe('exists');
    expect(await open().list(where.tag)).toEqual([]);
  });

  it('refuses what grows too large, whoever adds to it', async () => {
    const where = place();
    await open().create(where, text({ a: 'x'.repeat(600) }), IDLE_MS);
    expect(await update(where, changes({}, { b: 'é'.repeat(300) }), 1_000)).toBe('too_large');
    expect(await dataAt(where)).toEqual({ a: 'x'.repeat(600) });
  });

  it('forgets what is not used, and keeps what is', async () => {
    const [used, unused] = [place(), place()];
    await open().create(used, text({}), 400);
    await open().create(unused, text({}), 400);
    for (let times = 0; times < 3; times++) {
      await wait(200);
      expect(await open().read(used, 400)).toBe(text({}));
    }
    expect((await open().read(unused, 400)) ?? undefined).toBe(undefined);
    expect(await update(unused, changes({}, { a: 1 }))).toBe('gone');
  });

  describe('with the sessions of a user', () => {
    it('lists those that are alive', async () => {
      const tag = name();
      const [one, two, three] = [place(tag), place(tag), place(tag)];
      await open().create(one, text({}), IDLE_MS, owner(1));
      await open().create(two, text({}), 100, owner(2));
      await open().create(three, text({}), IDLE_MS, owner(3));
      await open().end(three);
      await wait(150);
      const listed = await open().list(tag);
      expect(listed).toEqual([{ handle: one.handle, entry: '1 test', leftMs: expect.any(Number) }]);
      expect(listed[0]?.leftMs).toBeGreaterThan(IDLE_MS - 5_000);
    });

    it('ends all of them, or all but one', async () => {
      const tag = name();
      const places = [place(tag), place(tag), place(tag)];
      for (const each of places) await open().create(each, text({}), IDLE_MS, owner(1));
      expect(await open().endAll(tag, places[1]?.handle)).toBe(2);
      expect((await open().list(tag)).map(({ handle }) => handle)).toEqual([places[1]?.handle]);
      expect(await open().endAll(tag)).toBe(1);
      for (const each of places) expect(await open().read(each, IDLE_MS)).toBe('');
    });

    it('lets the oldest make room, however many come at once', async () => {
      const tag = name();
      const places = Array.from({ length: 10 }, () => place(tag));
      const evicted = await Promise.all(
        places.map((each, index) => open().create(each, text({}), IDLE_MS, owner(1_000 + index, { max: 3 }))),
      );
      expect(evicted.reduce<number>((sum, count) => sum + Number(count), 0)).toBe(7);
      const alive = (await open().list(tag)).map(({ handle }) => handle);
      expect(alive.toSorted()).toEqual(
        places
          .slice(7)
          .map(({ handle }) => handle)
          .toSorted(),
      );
    });

    it('counts nobody who is too old, and ends those', async () => {
      const tag = name();
      const [old, young] = [place(tag), place(tag)];
      await open().create(old, text({}), IDLE_MS, owner(1_000));
      const limits = { max: 1, refuse: true, tooOldMs: 1_000 };
      expect(await open().create(young, text({}), IDLE_MS, owner(2_000, limits))).toBe(0);
      expect((await open().list(tag)).map(({ handle }) => handle)).toEqual([young.handle]);
      expect(await open().read(old, IDLE_MS)).toBe('');
    });

    it.each([false, true])(
      'does not count the one that the new one replaces (refuse: %s)',
      async (refuse) => {
        const tag = name();
        const [other, before, after] = [place(tag), place(tag), place(tag)];
        await open().create(other, text({}), IDLE_MS, owner(1_000));
        await open().create(before, text({}), IDLE_MS, owner(2_000));
        const limits = { max: 2, refuse, replaces: before.handle };
        expect(await open().create(after, text({}), IDLE_MS, owner(3_000, limits))).toBe(0);
        expect(await open().read(other, IDLE_MS)).toBe(text({}));
        expect(await open().read(before, IDLE_MS)).toBe(text({}));
        expect(await open().list(tag)).toHaveLength(3);
      },
    );

    it('refuses the newest where that is wanted', async () => {
      const tag = name();
      const places = Array.from({ length: 6 }, () => place(tag));
      const limits = { max: 2, refuse: true };
      const outcomes = await Promise.all(
        places.map((each) => open().create(each, text({}), IDLE_MS, owner(1, limits))),
      );
      expect(outcomes.filter((outcome) => outcome === 'full')).toHaveLength(4);
      await open().endAll(tag);
      expect(await open().create(place(tag), text({}), IDLE_MS, owner(2, limits))).toBe(0);
    });
  });
}
