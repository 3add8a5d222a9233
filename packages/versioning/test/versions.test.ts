import { declareMount, routeTable } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express, { Router, type RequestHandler } from 'express';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { versions } from '../src/index.js';
import { get, observed, routerOf, says, send, serving } from './support.js';

const v1 = routerOf('v1', '/search', '/me');
const v2 = routerOf('v2', '/search');
const api = () => versions({ v1, v2 }, { default: 'v2' });

describe('versions', () => {
  it.each([
    ['/v1/search', {}, 'v1'],
    ['/v2/search', {}, 'v2'],
    ['/V1/search', {}, 'v1'],
    ['/v1/search?q=a/v2', {}, 'v1'],
    ['/search', { 'x-api-version': 'v1' }, 'v1'],
    ['/search', { 'x-api-version': 'v2' }, 'v2'],
    ['/search', { 'x-api-version': 'V1' }, 'v1'],
    ['/search', { 'x-api-version': 'v1, v1' }, 'v1'],
    ['/search', { 'x-api-version': '' }, 'v2'],
    ['/v1/search', { 'x-api-version': 'v1' }, 'v1'],
    ['/search', {}, 'v2'],
  ])('serves %s with %o from %s', async (path, headers, from) => {
    const { status, body } = await get(`${await serving(api())}${path}`, headers);
    expect(status).toBe(200);
    expect(body).toMatchObject({ from, version: from });
  });

  it.each([
    ['/v1/search', { 'x-api-version': 'v2' }, ['url', 'header']],
    ['/v1/search', { 'x-api-version': 'v9' }, ['url', 'header']],
    ['/v9/search', { 'x-api-version': 'v1' }, ['url', 'header']],
    ['/search', { 'x-api-version': 'v1, v2' }, ['header']],
  ])('refuses %s with %o as ambiguous', async (path, headers, sources) => {
    const { status, body } = await get(`${await serving(api())}${path}`, headers);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({
      type: 'ambiguous_api_version',
      details: { sources, supported: ['v1', 'v2'] },
    });
  });

  it.each([
    ['/v9/search', {}, 'There is no version "v9" of this API, but v1, v2'],
    ['/v0', {}, 'There is no version "v0" of this API, but v1, v2'],
    ['/search', { 'x-api-version': 'v3' }, 'There is no version "v3" of this API, but v1, v2'],
    ['/search', { 'x-api-version': '1' }, 'There is no version "1" of this API, but v1, v2'],
    ['/search', { 'x-api-version': '__proto__' }, 'There is no version "__proto__" of this API, but v1, v2'],
    ['/search', { 'x-api-version': '<script>' }, 'There is no such version of this API, but v1, v2'],
  ])('refuses %s with %o as unsupported', async (path, headers, message) => {
    const { status, body } = await get(`${await serving(api())}${path}`, headers);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({
      type: 'unsupported_api_version',
      message,
      details: { supported: ['v1', 'v2'] },
    });
  });

  it('refuses a request without a version where there is no default', async () => {
    const url = await serving(versions({ v1, v2 }));
    const { status, body } = await get(`${url}/search`);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ type: 'api_version_required', details: { supported: ['v1', 'v2'] } });
    expect((await get(`${url}/v1/search`)).status).toBe(200);
  });

  it('passes on what the version has no route for, with the request as it was', async () => {
    const app = express();
    app.use('/api', api());
    app.use((req, res) => {
      res.status(404).json({ url: req.url, baseUrl: req.baseUrl, params: req.params });
    });
    const url = await listen(app);
    for (const path of ['/api/v1/nope?a=1', '/api/nope', '/api/v1', '/api', '/api/search/v1']) {
      const { status, body } = await get(`${url}${path}`);
      expect(status).toBe(404);
      expect(body).toEqual({ url: path, baseUrl: '', params: {} });
    }
  });

  it('says in Vary on what the response depends where the URL does not tell the version', async () => {
    const url = await serving(
      (_req, res, next) => {
        res.vary('Origin');
        next();
      },
      versions({ v1, v2 }, { default: 'v2', mediaType: true }),
    );
    expect((await get(`${url}/search`)).headers['vary']).toBe('Origin, X-API-Version, Accept, Content-Type');
    expect((await get(`${url}/search`, { 'x-api-version': 'v7' })).headers['vary']).toMatch(
      /^Origin, X-API-Version, Accept, Content-Type\b/,
    );
    expect((await get(`${url}/v1/search`)).headers['vary']).toBe('Origin');
  });

  it('reads the version from the query where it is told to', async () => {
    const url = await serving(versions({ v1, v2 }, { default: 'v2', query: 'api-version' }));
    expect((await get(`${url}/search?q=x&api-version=v1`)).body).toMatchObject({ from: 'v1' });
    expect((await get(`${url}/search?api-version=`)).body).toMatchObject({ from: 'v2' });
    expect((await get(`${url}/search?api-version=v1&api-version=v2`)).body.error?.type).toBe(
      'ambiguous_api_version',
    );
    expect((await get(`${url}/v2/search?api-version=v1`)).body.error?.type).toBe('ambiguous_api_version');
    expect((await get(`${url}/search?api-version=%00`)).body.error?.type).toBe('unsupported_api_version');
    expect((await get(`${url}/search?api-version[a]=v1`)).body).toMatchObject({ from: 'v2' });
  });

  it('reads another header field, or none', async () => {
    const url = await serving(versions({ v1, v2 }, { default: 'v2', header: 'Accept-Version' }));
    const { body, headers } = await get(`${url}/search`, { 'accept-version': 'v1', 'x-api-version': 'v9' });
    expect(body).toMatchObject({ from: 'v1' });
    expect(headers['vary']).toBe('Accept-Version');

    const without = await serving(versions({ v1, v2 }, { default: 'v2', header: false }));
    const answer = await get(`${without}/search`, { 'x-api-version': 'v9' });
    expect(answer.body).toMatchObject({ from: 'v2' });
    expect(answer.headers['vary']).toBeUndefined();
  });

  it('takes a path for a path where the URL does not name versions', async () => {
    const plain = Router().get('/v1/search', says('plain'));
    const url = await serving(versions({ v1: plain }, { default: 'v1', url: false }));
    expect((await get(`${url}/v1/search`)).body).toMatchObject({ from: 'plain', url: '/v1/search' });
  });

  it('serves routes without a version with any version and with none', async () => {
    const neutral = routerOf('neutral', '/status');
    const url = await serving(versions({ v1, v2 }, { neutral }));
    const plain = await get(`${url}/status`);
    expect(plain.body).toMatchObject({ from: 'neutral', version: null });
    expect(plain.headers['vary']).toBeUndefined();
    expect((await get(`${url}/status`, { 'x-api-version': 'v9' })).body).toMatchObject({ from: 'neutral' });
    expect((await get(`${url}/v1/status`)).body).toMatchObject({ from: 'neutral', version: 'v1' });
    expect((await get(`${url}/v1/search`)).body).toMatchObject({ from: 'v1' });
    expect((await get(`${url}/v9/status`)).status).toBe(400);
  });

  it('takes handlers one after the other, and what they throw or reject with', async () => {
    const failing = versions(
      {
        v1: (req) => {
          throw Object.assign(new Error(`v1 ${req.url}`), { status: 418 });
        },
        v2: [
          (_req, res, next) => {
            res.set('X-First', 'yes');
            next();
          },
          async () => {
            await Promise.reject(Object.assign(new Error('v2'), { status: 409 }));
          },
        ],
      },
      { inherit: false },
    );
    const app = express();
    let seen = '';
    app.use('/api', failing);
    app.use(((error, req, res, _next) => {
      seen = `${req.baseUrl} ${req.url}`;
      res.status(error.status).end();
    }) satisfies express.ErrorRequestHandler);
    const url = await listen(app);
    expect((await get(`${url}/api/v1/x`)).status).toBe(418);
    expect(seen).toBe(' /api/v1/x');
    const second = await get(`${url}/api/v2/x`);
    expect(second.status).toBe(409);
    expect(second.headers['x-first']).toBe('yes');
  });

  it('is a mounted router to what is in it', async () => {
    const router = Router({ mergeParams: true }).get('/items/:item', says('v1'));
    const app = express();
    app.use('/:tenant', versions({ v1: router }, { default: 'v1' }));
    const url = await listen(app);
    expect((await get(`${url}/acme/v1/items/7?x`)).body).toMatchObject({
      params: { tenant: 'acme', item: '7' },
      baseUrl: '/acme/v1',
      url: '/items/7?x',
    });
    expect((await get(`${url}/acme/items/7`)).body).toMatchObject({ params: { tenant: 'acme', item: '7' } });
  });

  it('finds the version in a target that is a whole URL', async () => {
    const url = await serving(api());
    const send1 = (target: string) => send('GET', url, {}, target);
    expect((await send1('http://other.example/api/v1/search?x=1')).body).toMatchObject({ from: 'v1' });
    expect((await send1('http://other.example/api/v9/search')).status).toBe(400);
    expect((await send1('http://other.example')).status).toBe(404);
    expect((await send1('http://other.example?/api/v1/search')).status).toBe(404);
    expect((await send('OPTIONS', url, {}, '*')).status).toBe(404);
  });

  it('tells several versions() of one app apart', async () => {
    const dated = versions(
      { '2025-01-31': routerOf('old', '/files'), '2026-02-28': routerOf('new', '/files') },
      { default: '2025-01-31' },
    );
    const app = express();
    app.use('/a', api());
    app.use('/b', dated);
    const url = await listen(app);
    expect((await get(`${url}/b/2026-02-28/files`)).body).toMatchObject({
      from: 'new',
      version: '2026-02-28',
    });
    expect((await get(`${url}/b/files`)).body).toMatchObject({ from: 'old' });
    expect((await get(`${url}/b/2027-01-01/files`)).status).toBe(400);
    expect((await get(`${url}/a/v1/search`)).body).toMatchObject({ from: 'v1' });
  });

  it('infers the names of the versions', async () => {
    const served = versions({ v1, v2 }, { default: 'v1', inherit: { v2: 'v1' } });
    expectTypeOf(served.names).toEqualTypeOf<readonly ('v1' | 'v2')[]>();
    expectTypeOf(served.versionOf).returns.toEqualTypeOf<'v1' | 'v2' | undefined>();
    // @ts-expect-error -- there is no such version
    expect(() => versions({ v1, v2 }, { default: 'v3' })).toThrow(TypeError);
    // @ts-expect-error -- there is no such version
    expect(() => versions({ v1, v2 }, { inherit: { v2: 'v3' } })).toThrow(TypeError);
    expect(served.names).toEqual(['v1', 'v2']);

    let version: string | undefined;
    const url = await serving(
      (req, _res, next) => {
        version = served.versionOf(req);
        next();
      },
      served,
      (req, _res, next) => {
        version = served.versionOf(req);
        next();
      },
    );
    await get(`${url}/v2/nope`);
    expect(version).toBe('v2');
  });

  it('answers whatever is sent with less than 500', async () => {
    const url = await serving(
      versions({ v1, v2 }, { mediaType: 'application/vnd.acme', query: 'v', default: 'v2' }),
    );
    const text = fc.oneof(
      fc.constantFrom(
        'v1',
        'v2',
        'v9',
        '',
        ',',
        ';',
        '"',
        '"v1',
        'v1,v2',
        '\\',
        '__proto__',
        'constructor',
        'q=0',
        'application/vnd.acme.v1+json;q=x',
        'application/json;version="v1',
        ';version=v1;;',
        '*/*;version=v9',
      ),
      fc.string({
        unit: fc
          .integer({ min: 0x20, max: 0xff })
          .filter((code) => code !== 0x7f)
          .map((code) => String.fromCharCode(code)),
        maxLength: 60,
      }),
    );
    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (header, accept, type, query) => {
        const { status } = await get(`${url}/search?v=${encodeURIComponent(query)}&${encodeURI(query)}`, {
          'x-api-version': header,
          accept,
          'content-type': type,
        });
        expect([200, 400]).toContain(status);
      }),
      { numRuns: 150 },
    );
    for (const path of [
      '/%',
      '/%00',
      '/v1/%',
      '//v1/search',
      '/v1%2fsearch',
      '/v1;x/search',
      '/v1//search',
      '/\\v1',
    ]) {
      expect((await send('GET', url, {}, `/api${path}`)).status).toBeLessThan(500);
    }
    const long = await get(`${url}/search`, { 'x-api-version': 'v'.repeat(9_000) });
    expect(long.status).toBe(400);
    expect(long.text.length).toBeLessThan(600);
  });
});

describe('the route template', () => {
  it('is the one of the URL that was asked for', async () => {
    const users = Router().get('/:id', says('users')).get('/:id/posts', says('users'));
    const first = Router().use('/users', users).get('/search', says('v1'));
    const served = versions(
      { v1: first, v2: [v2] },
      { default: 'v2', neutral: routerOf('neutral', '/status') },
    );
    const { app, templates } = observed(served);
    const url = await listen(app);
    const wanted = {
      '/api/v1/users/7': '/api/v1/users/:id',
      '/api/v2/users/7': '/api/v2/users/:id',
      '/api/users/7': '/api/users/:id',
      '/api/v2/users/7/posts': '/api/v2/users/:id/posts',
      '/api/v1/search': '/api/v1/search',
      '/api/v2/search': '/api/v2/search',
      '/api/search': '/api/search',
      '/api/status': '/api/status',
      '/api/v2/status': '/api/v2/status',
      '/api/v2/nope': undefined,
      '/api/v9/search': undefined,
    };
    for (const path of Object.keys(wanted)) await get(url + path);
    await get(`${url}/api/search?old`, { 'x-api-version': 'v1' });
    await expect
      .poll(() => Object.fromEntries(templates))
      .toEqual({
        ...Object.fromEntries(Object.entries(wanted).map(([path, template]) => [`GET ${path}`, template])),
        'GET /api/search?old': '/api/search',
      });
  });

  it('is the one of the URL, too, where a newer route has passed the request on', async () => {
    const first = Router().use('/things', Router().get('/:id', says('v1')));
    const second = Router().get('/things/:thing', (req, res, next) =>
      req.query['new'] === undefined ? next() : says('v2')(req, res, next),
    );
    const { app, templates } = observed(versions({ v1: first, v2: second }));
    const url = await listen(app);
    expect((await get(`${url}/api/v2/things/7`)).body).toMatchObject({ from: 'v1' });
    expect((await get(`${url}/api/v2/things/7?new`)).body).toMatchObject({ from: 'v2' });
    await get(`${url}/api/v1/things/7`);
    await expect
      .poll(() => Object.fromEntries(templates))
      .toEqual({
        'GET /api/v2/things/7': '/api/v2/things/:id',
        'GET /api/v2/things/7?new': '/api/v2/things/:thing',
        'GET /api/v1/things/7': '/api/v1/things/:id',
      });
    expect(routeTable(app).filter(({ path }) => path.startsWith('/api/v2'))).toHaveLength(1);
  });

  it('is known of routes behind a function that says where it leads', async () => {
    const inner = Router().get('/late/:id', says('late'));
    const gate: RequestHandler = (req, res, next) => inner(req, res, next);
    declareMount(gate, inner);
    const { app, templates } = observed(
      versions({ v1: gate, v2: [gate, v2] }, { default: 'v2', inherit: false }),
    );
    const url = await listen(app);
    await get(`${url}/api/v1/late/7`);
    await get(`${url}/api/v2/late/7`);
    await get(`${url}/api/late/7`);
    await expect
      .poll(() => new Set(templates.values()))
      .toEqual(new Set(['/api/v1/late/:id', '/api/v2/late/:id', '/api/late/:id']));
  });

  it('is known of routes that are added later', async () => {
    const late = Router();
    const { app, templates } = observed(versions({ v1: late, v2 }, { default: 'v2' }));
    const url = await listen(app);
    await get(`${url}/api/v2/late/7`);
    late.get('/late/:id', says('late'));
    expect((await get(`${url}/api/v2/late/8`)).status).toBe(200);
    await expect.poll(() => templates.get('GET /api/v2/late/8')).toBe('/api/v2/late/:id');
  });
});
