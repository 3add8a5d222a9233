import type { RequestHandler } from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cache } from '../src/index.js';
import { normalQuery } from '../src/request-key.js';
import { counting, get, send, serving } from './support.js';

/** Puts what anybody may say into the page, as apps do with links and redirects. */
const linking: RequestHandler = (req, res) => {
  const host = req.headers['x-forwarded-host'] ?? req.headers['x-host'] ?? req.headers.forwarded ?? 'ours';
  res.type('html').send(`<script src="//${String(host)}/app.js"></script>`);
};

describe('a poisoned answer', () => {
  it.each([
    ['x-forwarded-host', 'evil.example'],
    ['x-host', 'evil.example'],
    ['forwarded', 'for=1.2.3.4;host=evil.example'],
  ])('through %s stays with who asked for it', async (name, value) => {
    const url = await serving(cache({ ttlMs: 60_000 }), linking);
    expect((await get(url, { [name]: value })).text).toContain('evil.example');
    const { text } = await get(url);
    expect(text).toContain('ours');
    expect((await get(url, { [name]: value })).headers['cache-status']).toContain('hit');
  });

  it('through Forwarded is told apart by the host, not by the visitor', async () => {
    const handler = counting();
    const url = await serving(cache({ ttlMs: 60_000 }), handler);
    await get(url, { forwarded: 'for=1.1.1.1;host=ours.example' });
    const { text } = await get(url, { forwarded: 'for=2.2.2.2;host=ours.example' });
    expect(text).toBe('answer 1');
  });

  it.each([
    'x-http-method-override',
    'x-http-method',
    'x-method-override',
    'x-original-url',
    'x-rewrite-url',
  ])('through %s is not kept, and not answered from the cache', async (name) => {
    const handler = counting();
    const store = cache({ ttlMs: 60_000 });
    const url = await serving(store, handler);
    const { headers } = await get(url, { [name]: '/admin' });
    expect(headers['cache-status']).toBe('signalbox; fwd=bypass');
    expect((await get(url)).text).toBe('answer 2');
    expect((await get(url, { [name]: 'POST' })).text).toBe('answer 3');
    expect(store.report().overrides).toBe(2);
  });

  it.each([
    ['/a', '//a'],
    ['/a/b', '/a%2fb'],
    ['/a/b', '/a%2Fb'],
    ['/a', '/a;x'],
    ['/a', '/a/'],
    ['/a', '/A'],
    ['/a', '/%61'],
    ['/a/b', '/a/./b'],
    ['/b', '/a/../b'],
    ['/a', '/a?'],
    ['/a', '/a/x.css'],
    ['/a?x=1', '/a?x=1#f'],
    ['/a?x=1&y=2', '/a?x=1;y=2'],
    ['/a?x[]=1&x[0]=2', '/a?x[0]=2&x[]=1'],
    ['/a?x=1&x=2', '/a?x=2&x=1'],
    ['/a?x=1&X=2', '/a?X=2&x=1'],
    ['/a', '/a?x=1'],
    ['/a\\b', '/a/b'],
  ])('at %s is not that of %s', async (one, other) => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    expect((await send(url, { path: one })).text).toBe('answer 1');
    expect((await send(url, { path: other })).text).toBe('answer 2');
  });

  it('of one host is not that of another', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    expect((await get(url, { host: 'one.example' })).text).toBe('answer 1');
    expect((await get(url, { host: 'two.example' })).text).toBe('answer 2');
    expect((await get(url, { host: 'ONE.example' })).text).toBe('answer 1');
  });

  it('of a user cannot be fetched by a path that looks like a style sheet', async () => {
    const account: RequestHandler = (req, res) => void res.json({ you: req.headers.cookie ?? 'nobody' });
    const url = await serving(cache({ ttlMs: 60_000 }), account);
    for (const path of ['/account/x.css', '/account;x.css', '/account%2fx.css', '/account%00.css']) {
      expect((await send(url, { path, headers: { cookie: 'sid=alice' } })).text).toContain('alice');
      expect((await send(url, { path })).text).toContain('nobody');
    }
  });

  it('of a path that somebody above rewrites is not that of the path as it came', async () => {
    const rewriting: RequestHandler = (req, _res, next) => {
      if (req.headers['x-beta'] !== undefined) req.url = `/beta${req.url}`;
      next();
    };
    const handler: RequestHandler = (req, res) => void res.end(req.url);
    const url = await serving(rewriting, cache({ ttlMs: 60_000 }), handler);
    expect((await get(`${url}/a`, { 'x-beta': '1' })).text).toBe('/beta/a');
    expect((await get(`${url}/a`)).text).toBe('/a');
  });
});

describe('the order of parameters', () => {
  it('does not matter where nobody could read it otherwise', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    await get(`${url}/search?q=tea&page=2`);
    expect((await get(`${url}/search?page=2&q=tea`)).text).toBe('answer 1');
  });

  it('leaves two queries one only where any reader finds the same in both', () => {
    const name = fc.constantFrom('a', 'A', 'b', 'a[]', 'a[0]', 'a.b', '%61', 'b;a', '');
    const pair = fc.tuple(name, fc.constantFrom('1', '2', '')).map(([key, value]) => `${key}=${value}`);
    const query = fc.array(pair, { maxLength: 4 }).map((pairs) => `?${pairs.join('&')}`);
    fc.assert(
      fc.property(query, query, (one, other) => {
        if (one === other || normalQuery(one) !== normalQuery(other)) return;
        const read = (text: string): string[] => text.slice(1).split('&').toSorted();
        expect(read(one)).toEqual(read(other));
        // Each name once, in whatever case, and none that means something to a parser.
        const names = read(one).map((each) => each.split('=')[0]?.toLowerCase());
        expect(new Set(names).size).toBe(names.length);
        expect(one).not.toMatch(/[[\];%]|\.b/);
      }),
    );
  });
});
