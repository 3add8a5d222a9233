import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Request, RequestHandler, Response } from 'express';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { cache, memoryStore, type Cache, type CacheStore } from '../src/index.js';
import { counting, get, serving } from './support.js';

const DAY = 86_400_000;

describe('unsafe methods (RFC 9111 section 4.4)', () => {
  const writing =
    (status: number, more: Record<string, string> = {}): RequestHandler =>
    (req, res, next) => {
      if (req.method === 'GET') return next();
      res.status(status).set(more).end();
    };

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH'])(
    '%s forgets what is kept for the URL',
    async (method) => {
      const url = await serving(cache({ ttlMs: DAY }), writing(204), counting());
      await get(`${url}/a?x=1`);
      await send(`${url}/a?x=1`, { method, body: 'x=2' });
      expect((await get(`${url}/a?x=1`)).text).toBe('answer 2');
    },
  );

  it('forget it also where a field makes another method of them', async () => {
    const url = await serving(cache({ ttlMs: DAY }), writing(204), counting());
    await get(url);
    await send(url, { method: 'POST', headers: { 'x-http-method-override': 'DELETE' } });
    expect((await get(url)).text).toBe('answer 2');
  });

  it.each([400, 404, 500])('that fail with %d forget nothing', async (status) => {
    const url = await serving(cache({ ttlMs: DAY }), writing(status), counting());
    await get(url);
    await send(url, { method: 'POST' });
    expect((await get(url)).text).toBe('answer 1');
  });

  it('forget what Location and Content-Location name, of the same origin', async () => {
    const fields = { location: '/b', 'content-location': 'http://elsewhere.example/c' };
    const url = await serving(cache({ ttlMs: DAY }), writing(201, fields), counting());
    await get(`${url}/b`);
    await get(`${url}/c`);
    await send(`${url}/a`, { method: 'POST' });
    expect((await get(`${url}/b`)).text).toBe('answer 3');
    expect((await get(`${url}/c`)).text).toBe('answer 2');
  });

  it.each([
    ['shop.example:80', '/b'],
    ['shop.example:80', 'http://shop.example/b'],
    ['shop.example:443', 'https://shop.example/b'],
    ['SHOP.example', 'http://shop.example:80/b'],
  ])('forget it also where the port need not be said: Host %s, Location %s', async (host, location) => {
    const url = await serving(cache({ ttlMs: DAY }), writing(201, { location }), counting());
    const ask = async (): Promise<string> => (await send(url, { path: '/b', headers: { host } })).text;
    await ask();
    await send(url, { method: 'POST', headers: { host } });
    expect(await ask()).toBe('answer 2');
  });

  it.each<[string, (res: Response) => void]>([
    ['fields', (res) => res.writeHead(303, { Location: '/b' }).end()],
    ['a reason and fields', (res) => res.writeHead(303, 'Look There', { Location: '/b' }).end()],
    ['a list', (res) => res.writeHead(303, ['Location', '/b']).end()],
  ])('forget it also where writeHead is given it as %s', async (_how, write) => {
    const redirecting: RequestHandler = (req, res, next) => (req.method === 'POST' ? write(res) : next());
    const url = await serving(cache({ ttlMs: DAY }), redirecting, counting());
    await get(`${url}/b`);
    const { status, headers } = await send(`${url}/a`, { method: 'POST' });
    expect([status, headers.location]).toEqual([303, '/b']);
    expect((await get(`${url}/b`)).text).toBe('answer 2');
  });

  it('are answered also where the key cannot be made for them', async () => {
    const key = (req: Request): string => (Reflect.get(req, 'tenant') as { id: string }).id;
    const later: RequestHandler = (_req, res) => void setTimeout(() => res.status(201).end('done'), 1);
    const url = await serving(cache({ ttlMs: DAY, key }), later);
    expect(await send(url, { method: 'POST' })).toMatchObject({ status: 201, text: 'done' });
  });

  /** Answers by language; who speaks `slow` is answered when it is let go. */
  function byLanguage(state: (kept: number) => Record<string, string> = () => ({})): {
    handler: RequestHandler & { calls: () => number };
    waiting: (() => void)[];
  } {
    const waiting: (() => void)[] = [];
    const handler = counting((req, res, next) => {
      res.vary('Accept-Language').set(state(handler.calls()));
      if (req.headers['accept-language'] === 'slow' && waiting.length === 0) waiting.push(() => next());
      else next();
    });
    return { handler, waiting };
  }

  it.each([
    ['the first of its URL', []],
    ['one of several variants', ['de', 'en']],
  ])('forget every variant, and %s that was asked for before and comes later', async (_which, known) => {
    const { handler, waiting } = byLanguage();
    const url = await serving(cache({ ttlMs: DAY }), writing(204), handler);
    for (const language of known) await get(url, { 'accept-language': language });
    const slow = get(url, { 'accept-language': 'slow' });
    await eventually(() => waiting.length === 1);
    await send(url, { method: 'PUT' });
    waiting[0]?.();
    await slow;
    for (const language of [...known, 'slow']) {
      const { headers } = await get(url, { 'accept-language': language });
      expect(headers['cache-status']).not.toContain('hit');
    }
  });

  it('forget them for good, also where what comes later is kept longer than they were', async () => {
    // The list of variants has to outlive the last of them, and is written anew with it.
    const { handler, waiting } = byLanguage((call) => ({
      'cache-control': `max-age=${call === 1 ? 60 : 86_400}`,
    }));
    const url = await serving(cache(), writing(204), handler);
    await get(url, { 'accept-language': 'de' });
    const slow = get(url, { 'accept-language': 'slow' });
    await eventually(() => waiting.length === 1);
    await send(url, { method: 'PUT' });
    waiting[0]?.();
    await slow;
    for (const language of ['de', 'slow']) {
      const { headers } = await get(url, { 'accept-language': language });
      expect(headers['cache-status']).not.toContain('hit');
    }
  });

  it.each<[string, (page: Cache, held: RequestHandler) => RequestHandler[]]>([
    ['waited for another one’s answer', (page, held) => [page, held]],
    ['was held up behind the lookup', (page, held) => [page.lookup, held, page.answer]],
  ])('forget them for good, also where who asked before %s, and is answered after', async (_which, order) => {
    let kind = 'old';
    const held: (() => void)[] = [];
    const handler: RequestHandler = (req, res) => {
      const language = String(req.headers['accept-language']);
      res.set('cache-control', `max-age=${language === 'de' ? 60 : 86_400}`);
      res.vary('Accept-Language').end(`${kind} ${language}`);
    };
    const holding: RequestHandler = (req, _res, next) => {
      if (req.headers['x-held'] === undefined) next();
      else held.push(() => next());
    };
    const changing: RequestHandler = (req, res, next) => {
      if (req.method === 'GET') return next();
      kind = 'new';
      res.status(204).end();
    };
    const page = cache();
    let asked = 0;
    const counted: RequestHandler = (req, _res, next) => {
      if (req.headers['accept-language'] === 'fr') asked += 1;
      next();
    };
    const url = await serving(counted, ...order(page, holding), changing, handler);
    const ask = async (language: string, more = {}): Promise<string> =>
      (await get(url, { 'accept-language': language, ...more })).text;
    await ask('de');
    const french = [ask('fr', { 'x-held': '1' }), ask('fr', { 'x-held': '1' })];
    await eventually(() => asked === 2 && held.length > 0);
    await send(url, { method: 'PUT' });
    for (let each = held.pop(); each !== undefined; each = held.pop()) {
      each();
      await pause(20);
    }
    await Promise.all(french);
    expect(await ask('de')).toBe('new de');
  });

  it('forget what was asked for just before, also where the list is far and has to be written anew', async () => {
    const store = memoryStore();
    let isFar = false;
    const far: CacheStore = {
      ...store,
      read: (key) => (isFar ? pause(60).then(() => store.read(key)) : store.read(key)),
    };
    const { handler, waiting } = byLanguage((call) => ({
      'cache-control': `max-age=${call === 1 ? 60 : 86_400}`,
    }));
    const url = await serving(cache({ store: far }), writing(204), handler);
    await get(url, { 'accept-language': 'de' });
    const slow = get(url, { 'accept-language': 'slow' });
    await eventually(() => waiting.length === 1);
    await send(url, { method: 'PUT' });
    isFar = true;
    await pause(30);
    waiting[0]?.();
    await slow;
    await pause(100);
    isFar = false;
    expect((await get(url, { 'accept-language': 'slow' })).headers['cache-status']).not.toContain('hit');
  });
});

describe('invalidate', () => {
  it('by tag, in one step', async () => {
    const route = cache({ ttlMs: DAY, tags: ({ path }) => [path, 'all'] });
    const url = await serving(route, counting());
    for (const tag of ['a', 'b']) await get(`${url}/${tag}`);
    await route.invalidate({ tag: '/a' });
    expect((await get(`${url}/b`)).text).toBe('answer 2');
    expect((await get(`${url}/a`)).text).toBe('answer 3');
    await route.invalidate({ tag: ['x', 'all'] });
    expect((await get(`${url}/b`)).text).toBe('answer 4');
  });

  it.each([
    [{ prefix: '/users/' }, ['/users/1', '/users/1/posts'], ['/user', '/posts']],
    [{ pattern: '/users/:id' }, ['/users/1', '/users/22'], ['/users/1/posts', '/users/', '/posts']],
    [{ pattern: '/users/*/posts' }, ['/users/1/posts', '/users/1/x/posts'], ['/users/1', '/posts']],
    [{ pattern: '*' }, ['/users/1', '/'], []],
    [{ key: '/users/1' }, ['/users/1', '/users/1?x=1'], ['/users/11', '/users/1/posts']],
  ])('by %o', async (what, gone, kept) => {
    const handler = counting();
    const route = cache({ ttlMs: DAY });
    const url = await serving(route, handler);
    for (const path of [...gone, ...kept]) await get(url + path);
    await route.invalidate(what);
    const before = handler.calls();
    for (const path of kept) await get(url + path);
    expect(handler.calls()).toBe(before);
    for (const path of gone) await get(url + path);
    expect(handler.calls()).toBe(before + gone.length);
  });

  it('reaches what was asked for before and comes later', async () => {
    let release = (): void => undefined;
    const handler = counting((_req, _res, next) => {
      if (handler.calls() > 1) return next();
      release = () => next();
    });
    const route = cache({ ttlMs: DAY, tags: ['page'] });
    const url = await serving(route, handler);
    const slow = get(url);
    while (handler.calls() === 0) await new Promise((resolve) => setImmediate(resolve));
    await route.invalidate({ tag: 'page' });
    release();
    expect((await slow).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 2');
  });

  it.each([
    [{}, '0 of them'],
    [{ tag: 'a', prefix: '/b' }, '2 of them'],
    [{ tag: '' }, '"tag": ""'],
    [{ tags: 'a' }, '"tags": "a"'],
  ])('refuses %o', async (what, got) => {
    await expect(cache().invalidate(what as never)).rejects.toThrow(
      `invalidate: "what" must be one of { tag }, { prefix }, { pattern }, { key }, got ${got}`,
    );
  });
});
