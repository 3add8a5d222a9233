import { once } from 'node:events';
import { connect as openSession, createServer, type ClientHttp2Session } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Router, type RequestHandler } from 'express';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { send } from '../../../test/support/send.js';
import { cache } from '../src/index.js';
import { normalQuery } from '../src/request-key.js';
import { counting, get, serving } from './support.js';

/** Fields by which apps find out where they are, as anybody may send them. */
const SAYING_WHERE = [
  'forwarded',
  'front-end-https',
  'x-forwarded-host',
  'x-forwarded-path',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-forwarded-uri',
  'x-host',
  'x-http-host-override',
  'x-original-host',
  'x-scheme',
  'x-script-name',
  'x-url-scheme',
  'x_forwarded_host',
];

/** Puts what anybody may say into the page, as apps do with links and redirects. */
const linking: RequestHandler = (req, res) => {
  const said = SAYING_WHERE.map((name) => req.headers[name]).find((value) => value !== undefined);
  res.type('html').send(`<script src="//${String(said ?? 'ours')}/app.js"></script>`);
};

/** A client of a server of HTTP/2 that answers so behind a cache. */
async function overHttp2(route: RequestHandler, handler: RequestHandler): Promise<ClientHttp2Session> {
  const server = createServer((req, res) => {
    Object.assign(req, { originalUrl: req.url, baseUrl: '' });
    const [request, response] = [req, res] as never as Parameters<RequestHandler>;
    route(request, response, () => handler(request, response, () => undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = openSession(`http://127.0.0.1:${port}`);
  onTestFinished(() => {
    session.close();
    server.close();
  });
  return session;
}

describe('a poisoned answer', () => {
  it.each(SAYING_WHERE)('through %s stays with who asked for it', async (name) => {
    const value = name === 'forwarded' ? 'for=1.2.3.4;host=evil.example' : 'evil.example';
    const url = await serving(cache({ ttlMs: 60_000 }), linking);
    expect((await get(url, { [name]: value })).text).toContain('evil.example');
    const { text } = await get(url);
    expect(text).toContain('ours');
    expect((await get(url, { [name]: value })).headers['cache-status']).toContain('hit');
  });

  it('through a redirect that names the host stays with who asked for it', async () => {
    const redirecting: RequestHandler = (req, res) => {
      res.set('cache-control', 'public, max-age=60');
      res.redirect(301, `https://${String(req.headers['x-forwarded-host'] ?? req.headers.host)}/login`);
    };
    const url = await serving(cache(), redirecting);
    const { headers } = await get(url, { 'x-forwarded-host': 'evil.example' });
    expect(headers.location).toBe('https://evil.example/login');
    expect((await get(url)).headers.location).not.toContain('evil');
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
    'x-original-uri',
    'x-rewrite-url',
    'x_http_method_override',
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
    ['/a', '/a.'],
    ['/a', '/a/.'],
    ['/a', '/a%00'],
    ['/a', '/a%00.css'],
    ['/a', '/a%20'],
    ['/a', '/a#f'],
    ['/a', '/a%23f'],
    ['/a?x=1', '/a%3fx=1'],
    ['/me/../a', '/a'],
    ['/me/..%2fa', '/a'],
    ['/me/%2e%2e/a', '/a'],
    ['/me/%2e%2e%2fa', '/me/../a'],
    ['/a?x=1&x=2', '/a?x=2'],
    ['/a?x=1&x=2', '/a?x=1'],
    ['/a?x=1&x[]=2', '/a?x[]=2&x=1'],
    ['/a?_method=DELETE', '/a'],
    ['/a?utm_source=evil', '/a'],
  ])('at %s is not that of %s', async (one, other) => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    expect((await send(url, { path: one })).text).toBe('answer 1');
    expect((await send(url, { path: other })).text).toBe('answer 2');
  });

  it('through a raw NUL is none: the request is refused', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write('GET /a\0.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect((await get(`${url}/a`)).text).toBe('answer 1');
  });

  it('for a target that names a host of its own is for nobody else (RFC 9112 section 3.2.2)', async () => {
    const app = Router();
    app.all('/a', counting());
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route, app);
    for (const target of ['http://evil.example/a', 'http://evil.example/a?x', 'HTTP://evil.example/a']) {
      const { headers } = await send(url, { path: target });
      expect(headers['cache-status']).toBe('signalbox; fwd=bypass');
    }
    expect((await get(`${url}/a`)).text).toBe('answer 4');
    expect(route.report()).toMatchObject({ bypass: 3, miss: 1, stored: 1 });
    expect((await send(url, { path: `${url}/a`, method: 'POST' })).text).toBe('answer 5');
    expect((await get(`${url}/a`)).text).toBe('answer 6');
  });

  it('of one host is not that of another', async () => {
    const url = await serving(cache({ ttlMs: 60_000 }), counting());
    expect((await get(url, { host: 'one.example' })).text).toBe('answer 1');
    expect((await get(url, { host: 'two.example' })).text).toBe('answer 2');
    expect((await get(url, { host: 'ONE.example' })).text).toBe('answer 1');
  });

  it('of one host is not that of another, nor over HTTP/2', async () => {
    const route = cache({ ttlMs: 60_000 });
    const session = await overHttp2(route, (req, res) => {
      res.end(`${String(req.headers[':authority'])} ${req.headers.host ?? '-'}`);
    });
    for (const [authority, host] of [
      ['one.example', undefined],
      ['two.example', undefined],
      ['one.example', 'evil.example'],
      ['one.example', undefined],
    ]) {
      const asked = session.request({ ':authority': authority, ...(host === undefined ? {} : { host }) });
      expect(await text(asked)).toBe(`${authority} ${host ?? '-'}`);
    }
    expect(route.report()).toMatchObject({ stored: 3, hit: 1 });
  });

  it('to a body is for nobody else, nor over HTTP/2, where no field says that there is one', async () => {
    const route = cache({ ttlMs: 60_000 });
    const session = await overHttp2(route, async (req, res) => res.end(`for "${await text(req)}"`));
    const ask = (method: string, body?: string): Promise<string> => {
      const asked = session.request({ ':method': method }, { endStream: body === undefined });
      if (body !== undefined) asked.end(body);
      return text(asked);
    };
    expect(await ask('GET', 'evil')).toBe('for "evil"');
    expect([await ask('GET'), await ask('GET')]).toEqual(['for ""', 'for ""']);
    expect(await ask('GET', 'evil')).toBe('for "evil"');
    expect(route.report()).toMatchObject({ bypass: 2, miss: 1, hit: 1 });
    expect(await ask('POST', 'changed')).toBe('for "changed"');
    await ask('GET');
    expect(route.report()).toMatchObject({ miss: 2, hit: 1 });
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
