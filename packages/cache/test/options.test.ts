import { signals } from '@signalbox/signals';
import { facts, requestContext, routeTemplate } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { send } from '../../../test/support/send.js';
import { byUser, cache, cachedRoute } from '../src/index.js';
import { counting, get, serving } from './support.js';

describe('cache refuses', () => {
  const client = new Redis({ lazyConnect: true });
  it.each([
    [{ ttlMS: 1 }, 'cache: "ttlMS" is not an option; did you mean "ttlMs"?'],
    [{ ttlMs: 0 }, 'cache: "ttlMs" must be an integer from 1 to 604800000, got 0'],
    [{ ttlMs: Infinity }, 'cache: "ttlMs" must be an integer from 1 to 604800000, got Infinity'],
    [{ jitter: 2 }, 'cache: "jitter" must be a number from 0 to 1, got 2'],
    [{ key: 'url' }, 'cache: "key" must be a function, got "url"'],
    [{ tags: 'a' }, 'cache: "tags" must be a list of non-empty strings, got "a"'],
    [{ tags: [''] }, 'cache: "tags" must be a list of non-empty strings, got an array'],
    [{ vary: 'Accept' }, 'cache: "vary" must be a list of names of header fields, got "Accept"'],
    [{ vary: ['a b'] }, 'cache: "vary" must be a list of names of header fields, got "a b"'],
    [{ shared: 1 }, 'cache: "shared" must be true or false, got 1'],
    [{ name: 'two words' }, 'cache: "name" must be a token such as "search", got "two words"'],
    [{ softTimeoutMs: 0 }, 'cache: "softTimeoutMs" must be an integer from 1 to 2147483647, got 0'],
    [{ maxBodyBytes: -1 }, 'cache: "maxBodyBytes" must be an integer of at least 1, got -1'],
    [{ shared: true, key: byUser() }, 'cache: "shared" must be false where "key" is byUser()'],
    [{ store: {} }, 'cache: "store" must be memoryStore() or redisStore(), got an object'],
    [
      { store: client },
      'cache: "store" must be memoryStore() or redisStore(), got an object: wrap the Redis client in redisStore()',
    ],
  ])('%o', (options, message) => {
    expect(() => cache(options as never)).toThrow(new TypeError(message));
  });

  it('a route without a lifetime, and a user who is no function', () => {
    expect(() => cachedRoute(0)).toThrow('"ttlMs" must be an integer from 1');
    expect(() => byUser({ user: 'me' as never })).toThrow('byUser: "user" must be a function, got "me"');
  });
});

describe('a key function', () => {
  it('that finds nothing leaves the request alone', async () => {
    const url = await serving(cache({ ttlMs: 60_000, key: () => undefined }), counting());
    await get(url);
    const { text, headers } = await get(url);
    expect(text).toBe('answer 2');
    expect(headers['cache-status']).toBe('signalbox; fwd=bypass');
  });

  it('may return a list, of which no two read alike', async () => {
    const parts = (req: express.Request): string[] => (req.get('x-parts') ?? '').split('|');
    const url = await serving(cache({ ttlMs: 60_000, key: parts }), counting());
    await get(url, { 'x-parts': 'a|bc' });
    expect((await get(url, { 'x-parts': 'ab|c' })).text).toBe('answer 2');
  });

  it('that returns a promise is an error', async () => {
    const url = await serving(cache({ ttlMs: 1, key: (async () => 'a') as never }), counting());
    expect((await get(url)).status).toBe(500);
  });
});

describe('what others learn of it', () => {
  it('is Cache-Status (RFC 9211), X-Cache by option, the log line, the signal and the report', async () => {
    const lookups = heard(signals.cacheLookup);
    const statuses: unknown[] = [];
    const app = express();
    app.use(requestContext());
    app.use((req, res, next) => {
      res.on('finish', () => statuses.push(facts(req).cacheStatus));
      next();
    });
    const route = cache({ ttlMs: 60_000, name: 'edge', xCache: true });
    app.use(route);
    app.get('/items/:id', (_req, res) => void res.json({ ok: true }));
    app.post('/items/:id', (_req, res) => void res.status(204).end());
    const url = await listen(app);

    const miss = await get(`${url}/items/1`);
    const hit = await get(`${url}/items/1`);
    await send(`${url}/items/2`, { method: 'POST' });
    expect([miss.headers['cache-status'], miss.headers['x-cache']]).toEqual([
      'edge; fwd=uri-miss; stored',
      'MISS',
    ]);
    expect(hit.headers['cache-status']).toMatch(/^edge; hit; ttl=5\d$/);
    expect(hit.headers['x-cache']).toBe('HIT');
    expect(lookups).toEqual([
      { cache: '/items/:id', outcome: 'miss' },
      { cache: '/items/:id', outcome: 'hit' },
      { cache: 'edge', outcome: 'bypass' },
    ]);
    expect(statuses).toEqual(['miss', 'hit', 'bypass']);
    expect(route.report()).toMatchObject({
      name: 'edge',
      hit: 1,
      miss: 1,
      bypass: 1,
      stored: 1,
      entries: 1,
      hitRate: 0.5,
    });
  });

  it('is the route, too, which what is kept does not reach where the cache stands in front of all', async () => {
    const routes: unknown[] = [];
    const app = express();
    app.use((req, res, next) => {
      res.on('finish', () => routes.push(routeTemplate(req)));
      next();
    });
    app.use(
      '/api',
      cache({ ttlMs: 60_000 }),
      express.Router().get('/items/:id', (_req, res) => void res.end('item')),
    );
    const url = await listen(app);
    for (const path of ['/api/items/1', '/api/items/1', '/api/nothing']) await get(url + path);
    expect(routes).toEqual(['/api/items/:id', '/api/items/:id', undefined]);
  });

  it('comes after what caches further on have said', async () => {
    const url = await serving(
      cache({ ttlMs: 60_000 }),
      counting((_req, res, next) => {
        res.set('cache-status', 'origin; hit');
        next();
      }),
    );
    expect((await get(url)).headers['cache-status']).toBe('origin; hit, signalbox; fwd=uri-miss; stored');
    expect((await get(url)).headers['cache-status']).toMatch(/^signalbox; hit; ttl=\d+$/);
  });
});

describe('lookup and answer', () => {
  it('work apart, with what refuses in between', async () => {
    const route = cache({ ttlMs: 60_000 });
    const refusing: RequestHandler = (req, res, next) => {
      if (req.headers['x-bad'] !== undefined) res.status(429).end('no');
      else next();
    };
    const url = await serving(route.lookup, refusing, route.answer, counting());
    await get(url);
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url, { 'x-bad': '1' })).text).toBe('no');
  });

  it('ask once more where the key has become another one in between', async () => {
    const tenantOf = (req: express.Request): unknown => Reflect.get(req, 'tenant');
    const findTenant: RequestHandler = (req, _res, next) => {
      Object.assign(req, { tenant: req.headers.authorization });
      next();
    };
    const route = cache({ ttlMs: 60_000, shared: true, key: (req) => ['tenant', tenantOf(req) as string] });
    const handler: RequestHandler = (req, res) => void res.end(`for ${String(tenantOf(req))}`);
    const url = await serving(route.lookup, findTenant, route.answer, handler);
    for (const tenant of ['one', 'two', 'one', 'two']) {
      expect((await get(url, { authorization: tenant })).text).toBe(`for ${tenant}`);
    }
    expect(route.report()).toMatchObject({ hit: 2, miss: 2 });
  });

  it('ask once more where the URL has become another one in between', async () => {
    const forPhones: RequestHandler = (req, _res, next) => {
      if (req.headers['user-agent'] === 'phone') req.url = `/phone${req.url}`;
      next();
    };
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route.lookup, forPhones, route.answer, (req, res) => void res.end(req.url));
    expect((await get(url, { 'user-agent': 'phone' })).text).toBe('/phone/');
    expect((await get(url)).text).toBe('/');
  });

  it('close ends what is kept alive, and does so twice', () => {
    const route = cache();
    route.close();
    route.close();
  });
});
