import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RequestHandler } from 'express';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { cache, memoize, memoryStore, type Cache, type CacheStore } from '../src/index.js';
import { get, serving } from './support.js';

const DAY = 86_400_000;
const MANY = 50;

/** Something that reads what is true when it is asked, and is held up before it says so, if it is told to. */
function source(): {
  truth: string;
  calls: number;
  isHeld: boolean;
  read: () => Promise<string>;
  release: () => void;
} {
  const held: (() => void)[] = [];
  const self = {
    truth: 'old',
    calls: 0,
    isHeld: false,
    async read() {
      self.calls += 1;
      const read = self.truth;
      if (self.isHeld) await new Promise<void>((resolve) => held.push(resolve));
      return read;
    },
    release() {
      self.isHeld = false;
      for (const resolve of held.splice(0)) resolve();
    },
  };
  return self;
}

describe('who asks after something was forgotten does not get what was asked for before', () => {
  const put = (_route: Cache, url: string): Promise<unknown> => send(`${url}/page`, { method: 'PUT' });

  it.each<[string, string, (route: Cache, url: string) => Promise<unknown>]>([
    ['by an unsafe method', '', put],
    ['by an unsafe method, with variants', 'Accept-Language', put],
    ['by another URL whose answer names it', '', (_route, url) => send(`${url}/pages`, { method: 'POST' })],
    ['by tag', '', (route) => route.invalidate({ tag: 'page' })],
    ['by tag, with variants', 'Accept-Language', (route) => route.invalidate({ tag: 'page' })],
    ['by prefix', '', (route) => route.invalidate({ prefix: '/page' })],
  ])('%s', async (_how, vary, forget) => {
    const page = source();
    const writing: RequestHandler = (req, res, next) => {
      if (req.method === 'GET') return next();
      page.truth = 'new';
      res.status(204).set('Location', '/page').end();
    };
    const route = cache({ ttlMs: DAY, tags: ['page'] });
    let come = 0;
    const counted: RequestHandler = (_req, _res, next) => {
      come += 1;
      next();
    };
    const url = await serving(counted, route, writing, async (_req, res) => {
      if (vary !== '') res.vary(vary);
      res.end(await page.read());
    });
    // Which fields tell its answers apart is known already.
    await get(`${url}/page`, { 'accept-language': 'de' });
    await route.invalidate({ tag: 'other' });
    const asks = (language: string): Promise<string> =>
      get(`${url}/page`, { 'accept-language': language }).then(({ text }) => text);
    if (vary === '') await send(`${url}/page`, { method: 'DELETE' });
    page.truth = 'old';
    page.calls = 0;

    page.isHeld = true;
    const before = asks('en');
    await eventually(() => page.calls === 1);
    page.truth = 'new';
    await forget(route, url);
    come = 0;
    const after = Array.from({ length: MANY }, () => asks('en'));
    await eventually(() => come === MANY);
    page.release();
    expect(await before).toBe('old');
    expect(new Set(await Promise.all(after))).toEqual(new Set(['new']));
    // All of them together.
    expect(page.calls).toBe(2);
    expect(await asks('en')).toBe('new');
    expect(page.calls).toBe(2);
  });

  it('by an unsafe method, and who waited meanwhile asks once more, with all the others', async () => {
    const page = source();
    const writing: RequestHandler = (req, res, next) => {
      if (req.method === 'GET') return next();
      page.truth = 'new';
      res.status(204).end();
    };
    let come = 0;
    const counted: RequestHandler = (_req, _res, next) => {
      come += 1;
      next();
    };
    const handler: RequestHandler = async (_req, res) => void res.end(await page.read());
    const url = await serving(counted, cache({ ttlMs: DAY }), writing, handler);
    page.isHeld = true;
    const waiting = Array.from({ length: MANY }, () => get(url));
    await eventually(() => come === MANY);
    await send(url, { method: 'PUT' });
    await eventually(() => page.calls === 2);
    page.release();
    const texts = (await Promise.all(waiting)).map(({ text }) => text);
    expect(texts.toSorted((one, other) => other.localeCompare(one))).toEqual([
      'old',
      ...Array(MANY - 1).fill('new'),
    ]);
    expect(page.calls).toBe(2);
  });

  it.each<
    [string, (memoized: { forget(): Promise<void>; invalidate: Cache['invalidate'] }) => Promise<void>]
  >([
    ['by arguments', (memoized) => memoized.forget()],
    ['by tag', (memoized) => memoized.invalidate({ tag: 'page' })],
    ['by name', (memoized) => memoized.invalidate({ prefix: 'page' })],
  ])('of a function, %s', async (_how, forget) => {
    const page = source();
    const memoized = memoize(page.read, { ttlMs: DAY, name: 'page', tags: ['page'] });
    page.isHeld = true;
    const before = memoized();
    await eventually(() => page.calls === 1);
    page.truth = 'new';
    await forget(memoized);
    const after = Array.from({ length: MANY }, () => memoized());
    page.release();
    await before;
    expect(new Set(await Promise.all(after))).toEqual(new Set(['new']));
    expect(page.calls).toBe(2);
    expect(await memoized()).toBe('new');
  });

  it('of a function, also where it takes long to keep what it returned', async () => {
    const page = source();
    const store = memoryStore();
    const far: CacheStore = {
      ...store,
      async write(key, entry) {
        await store.write(key, entry);
        await pause(50);
      },
    };
    const memoized = memoize(page.read, { ttlMs: DAY, name: 'page', store: far });
    page.isHeld = true;
    const before = memoized();
    await eventually(() => page.calls === 1);
    page.truth = 'new';
    await memoized.forget();
    const after = memoized();
    page.release();
    expect(await before).toBe('old');
    expect(await after).toBe('new');
  });
});
