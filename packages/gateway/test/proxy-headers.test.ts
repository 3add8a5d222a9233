import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { requestContext } from '@signalbox/context';
import { describe, expect, it, onTestFinished } from 'vitest';
import { errorType, proxied, rawExchange } from './proxy-support.js';
import { goodServer, upstreamServer, type UpstreamServer } from './upstream-server.js';
import { upstreams, type ProxyOptions } from '@signalbox/gateway';

/** The fields that the upstream got for a request with these lines. */
async function fieldsFor(
  lines: readonly string[],
  options: Partial<ProxyOptions> = {},
  trustProxy: unknown = false,
): Promise<UpstreamServer['seen'][number]['headers']> {
  const upstream = await goodServer();
  const url = await proxied({ to: upstream.url, ...options }, (app) => app.set('trust proxy', trustProxy));
  const text = await rawExchange(
    url,
    ['GET / HTTP/1.1', 'Host: shop.example', ...lines, '', ''].join('\r\n'),
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  return upstream.seen[0]?.headers ?? {};
}

describe('header fields on their way through a proxy', () => {
  it('keeps to itself what is for one connection, and what Connection names', async () => {
    const headers = await fieldsFor([
      'Connection: close, X-Hop, Via, TE',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic c2VjcmV0',
      'TE: trailers, deflate;q=0.5',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
      'X-End: 2',
    ]);

    expect(headers).toMatchObject({ 'x-end': '2', te: 'trailers' });
    expect(headers['via']).toContain('signalbox-');
    for (const name of [
      'x-hop',
      'keep-alive',
      'proxy-connection',
      'proxy-authorization',
      'upgrade',
      'http2-settings',
    ]) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it('heeds what middlewares have changed in req.headers, which clients cannot', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, stripHeaders: ['x-secret'] }, (app) =>
      app.use((req, _res, next) => {
        for (const name of ['cookie', 'content-length', 'x-request-id']) delete req.headers[name];
        Object.assign(req.headers, {
          'accept-language': 'de',
          'x-user-id': 'u_1',
          'X-Team': 'blue',
          'x-list': 'one',
          'x-forwarded-for': '10.9.8.7',
          'x-secret': 'of the app',
          authorization: 'Bearer ours',
        });
        next();
      }),
    );
    const lines = [
      'Connection: close, X-User-Id, X-Team',
      'Content-Length: 2',
      'Cookie: a=1',
      'Cookie: b=2',
      'Accept-Language: en',
      'X-User-Id: admin',
      'X-User-Name: admin',
      'x-team: red',
      'X-List: one',
      'X-List: two',
      'X-Kept: one',
      'X-Kept: two',
      'X-Request-Id: of-the-client',
      'Authorization: Bearer theirs',
    ];
    const text = await rawExchange(
      url,
      ['POST / HTTP/1.1', 'Host: shop.example', ...lines, '', 'ok'].join('\r\n'),
    );

    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const [{ headers, body } = { headers: {}, body: '' }] = upstream.seen;
    expect(body).toBe('ok');
    expect(headers).toMatchObject({
      'accept-language': 'de',
      'x-user-id': 'u_1',
      'x-team': 'blue',
      'x-list': 'one',
      'x-kept': 'one, two',
      'x-forwarded-for': '127.0.0.1',
      authorization: 'Bearer ours',
    });
    for (const name of ['cookie', 'x-user-name', 'x-request-id', 'x-secret']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it('takes what middlewares put there in capitals for theirs, though the client sends the same', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => {
        Object.assign(req.headers, { 'X-User-Id': 'u_1', 'X-Team': 'blue' });
        next();
      }),
    );
    const lines = ['Connection: close, X-User-Id, X-Team', 'X-User-Id: u_1', 'X-Team: blue'];
    await rawExchange(url, ['GET / HTTP/1.1', 'Host: shop.example', ...lines, '', ''].join('\r\n'));

    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-user-id': 'u_1', 'x-team': 'blue' });
  });

  it('does the same for answers', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.setHeader('Connection', ['X-Hop', 'X-Next']).setHeader('X-Hop', '1').setHeader('X-End', '2');
      res.setHeader('X-Next', '3');
      res.setHeader('Proxy-Authenticate', 'Basic').setHeader('Via', '1.0 inner').end('x');
    });
    const { headers } = await fetch(await proxied({ to: upstream.url }));

    expect(headers.get('x-end')).toBe('2');
    expect(headers.get('via')).toMatch(/^1\.0 inner, 1\.1 signalbox-[0-9a-f]{12}$/);
    expect(headers.has('x-hop')).toBe(false);
    expect(headers.has('x-next')).toBe(false);
    expect(headers.has('proxy-authenticate')).toBe(false);
  });

  it.each([
    'X-Remote-User: admin',
    'Remote-User: admin',
    'X-Forwarded-User: admin',
    'X-Real-IP: 10.0.0.1',
    'True-Client-IP: 10.0.0.1',
    'X-Auth-Request-Email: a@b.example',
    'X-SSL-Client-Verify: SUCCESS',
    'X-Original-URL: /admin',
    'X-Rewrite-URL: /admin',
    'X-HTTP-Method-Override: DELETE',
    'X_Forwarded_For: 10.0.0.1',
    'x_remote_user: admin',
  ])('takes out what a client claims about itself: %s', async (line) => {
    const name = line.split(':')[0]?.toLowerCase() ?? '';

    expect(await fieldsFor([line, 'Connection: close'])).not.toHaveProperty(name);
  });

  it('passes such claims on where told to, and takes out what it is told to', async () => {
    const lines = [
      'X-Remote-User: ann',
      'Cookie: a=1',
      'Authorization: Bearer x',
      'X-Tenant-Id: 7',
      'Connection: close',
    ];
    const options = { keepIdentityHeaders: true, stripHeaders: ['Cookie', 'authorization', 'x-tenant-*'] };
    const headers = await fieldsFor(lines, options);

    expect(headers['x-remote-user']).toBe('ann');
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['cookie']));
    for (const name of ['cookie', 'authorization', 'x-tenant-id']) expect(headers).not.toHaveProperty(name);
  });

  it('takes out by the beginning of their names what it would else treat in a way of its own, too', async () => {
    const lines = ['Authorization: Bearer x', 'X-Request-ID: 7', 'X_Tenant_Id: 7', 'Connection: close'];
    const headers = await fieldsFor(lines, { stripHeaders: ['auth*', 'x-request-*', 'x_tenant_*'] });
    for (const name of ['authorization', 'x-request-id', 'x_tenant_id'])
      expect(headers).not.toHaveProperty(name);

    const upstream = await upstreamServer((_req, res) => {
      res.setHeader('Set-Cookie', 'a=1').setHeader('Access-Control-Allow-Origin', '*');
      res.setHeader('X-RateLimit-Limit', '7').end('four');
    });
    const stripResponseHeaders = ['set-*', 'access-control-*', 'x-ratelimit-*', 'content-*'];
    const answer = await fetch(await proxied({ to: upstream.url, stripResponseHeaders }));
    for (const name of ['set-cookie', 'access-control-allow-origin', 'x-ratelimit-limit'])
      expect(answer.headers.get(name)).toBeNull();
    expect(answer.headers.get('content-length')).toBe('4');
  });

  it('says itself whom it asks for, also where it passes other claims on', async () => {
    const lines = [
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Prefix: /evil',
      'Forwarded: for=6.6.6.6',
      'X-Real-IP: 6.6.6.6',
      'Connection: close',
    ];
    const headers = await fieldsFor(lines, { keepIdentityHeaders: true });

    expect(headers).toMatchObject({
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example',
      forwarded: 'for=127.0.0.1;host="shop.example";proto=http',
      'x-real-ip': '6.6.6.6',
    });
    expect(headers).not.toHaveProperty('x-forwarded-prefix');
  });

  it('passes on all that a client claims of itself where it says nothing of the client', async () => {
    const claims = { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-proto': 'https', forwarded: 'for=10.0.0.1' };
    const lines = [...Object.entries(claims).map((claim) => claim.join(': ')), 'Connection: close'];

    expect(await fieldsFor(lines, { keepIdentityHeaders: true, forwarded: false })).toMatchObject(claims);
  });

  it('passes cookies and credentials on as they are, by default', async () => {
    const headers = await fieldsFor(['Cookie: a=1', 'Authorization: Bearer x', 'Connection: close']);

    expect(headers).toMatchObject({ cookie: 'a=1', authorization: 'Bearer x' });
  });

  it('sends fields of its own in place of the client’s, and the credentials of the URL', async () => {
    const upstream = await goodServer();
    const to = upstream.url.replace('//', '//user:pass%20word@');
    const url = await proxied({ to, headers: { 'X-Api-Key': 'ours' } });
    await fetch(url, { headers: { 'x-api-key': 'theirs', authorization: 'Bearer theirs' } });

    expect(upstream.seen[0]?.headers).toMatchObject({
      'x-api-key': 'ours',
      authorization: `Basic ${Buffer.from('user:pass word').toString('base64')}`,
    });
  });

  it('says of the client what the options say, and nothing beside that', async () => {
    const upstream = await goodServer();
    const url = await proxied(
      {
        to: upstream.url,
        headers: { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.example', 'X-Request-ID': 'ours' },
      },
      (app) => app.use(requestContext()),
    );
    await fetch(url, { headers: { 'x-forwarded-proto': 'ftp' } });

    expect(upstream.seen[0]?.headers).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-request-id': 'ours',
      forwarded: 'for=127.0.0.1;host="shop.example";proto=https',
    });
  });

  it('says who asks from what it knows, whatever the client claims', async () => {
    const headers = await fieldsFor([
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.example',
      'Forwarded: for=6.6.6.6',
      'Connection: close',
    ]);

    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example',
      forwarded: 'for=127.0.0.1;host="shop.example";proto=http',
    });
  });

  it('continues what a trusted proxy says, back to the first that is not trusted', async () => {
    const lines = [
      'X-Forwarded-For: 6.6.6.6, 2001:db8::7, 10.1.1.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: www.example',
      'Connection: close',
    ];
    const headers = await fieldsFor(lines, {}, ['loopback', '10.0.0.0/8']);

    expect(headers).toMatchObject({
      'x-forwarded-for': '2001:db8::7, 10.1.1.1, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'www.example',
      forwarded: 'for="[2001:db8::7]", for=10.1.1.1, for=127.0.0.1;host="www.example";proto=https',
    });
  });

  it('tells in Forwarded what a trusted proxy has written beside an address, or in its place', async () => {
    const upstream = await upstreamServer((_req, res) => res.end());
    const url = await proxied({ to: upstream.url }, (app) => app.set('trust proxy', true));
    for (const node of ['10.0.0.1:5678', '[2001:db8::1]:443', 'x;host=evil']) {
      await fetch(url, { headers: { 'x-forwarded-for': `${node}, 10.1.1.1` } });
    }

    const nodes = upstream.seen.map(({ headers }) => String(headers['forwarded']).split(', for=10.1.1.1')[0]);
    expect(nodes).toEqual(['for="10.0.0.1:5678"', 'for="[2001:db8::1]:443"', 'for=unknown']);
  });

  it('tells the upstream where it is mounted', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, undefined, '/shop');
    await fetch(`${url}/shop/x`);

    expect(upstream.seen[0]?.headers['x-forwarded-prefix']).toBe('/shop');
  });

  it('sends the upstream’s own host, or the client’s where told to', async () => {
    const upstream = await goodServer();
    await fieldsFor(['Connection: close'], { to: upstream.url });
    const host = new URL(upstream.url).host;

    expect(upstream.seen[0]?.headers.host).toBe(host);
    expect((await fieldsFor(['Connection: close'], { preserveHost: true }))['host']).toBe('shop.example');
  });

  it('carries the request’s own id and trace, not the client’s', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) => app.use(requestContext()));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await fetch(url, { headers: { 'x-request-id': 'theirs', traceparent } });
    const headers = upstream.seen[0]?.headers ?? {};

    expect(headers['x-request-id']).toBe(answer.headers.get('x-request-id'));
    expect(headers['x-request-id']).not.toBe('theirs');
    expect(headers['traceparent']).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(headers['traceparent']).not.toBe(traceparent);
  });

  it('carries the trace of a tracer that hears of undici, and no other beside it', async () => {
    const upstream = await goodServer();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const ofTracer = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01';
    const trace = (message: unknown): void => {
      const { request } = message as {
        request: { origin: URL; addHeader: (name: string, value: string) => void };
      };
      if (request.origin.toString().startsWith(upstream.url)) request.addHeader('traceparent', ofTracer);
    };
    subscribe('undici:request:create', trace);
    onTestFinished(() => void unsubscribe('undici:request:create', trace));
    const shop = await proxied({ to: upstream.url, preserveHost: true });
    await fetch(shop, { method: 'POST', headers: { traceparent, accept: 'text/plain' }, body: 'a' });
    const { own } = upstreams({ own: { urls: upstream.url } });
    onTestFinished(() => own?.close());
    await own?.json({ headers: { traceparent, accept: 'text/plain' } });

    expect(upstream.seen.map(({ headers }) => headers['traceparent'])).toEqual([ofTracer, ofTracer]);
    expect(upstream.seen.map(({ headers }) => headers.accept)).toEqual(['text/plain', 'text/plain']);
  });

  it('answers 508 to a request that comes back to it', async () => {
    let url = '';
    const hop = await upstreamServer(async (req, res) => {
      const headers = Object.entries(req.headers).filter(
        ([name]) => name !== 'host' && name !== 'connection',
      );
      const answer = await fetch(url, { headers: Object.fromEntries(headers) as Record<string, string> });
      res.writeHead(answer.status).end(await answer.text());
    });
    url = await proxied({ to: hop.url });
    const answer = await fetch(url);

    expect(answer.status).toBe(508);
    expect(await errorType(answer)).toBe('loop_detected');
    expect(hop.seen).toHaveLength(1);
  });

  it('names in Via the version by which it was asked (RFC 9110 section 7.6.3)', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, via: 'edge' });
    for (const version of ['1.0', '1.1'])
      await rawExchange(url, `GET / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`);

    expect(upstream.seen.map(({ headers }) => headers['via'])).toEqual(['1.0 edge', '1.1 edge']);
  });

  it('answers 508 after thirty proxies, and passes on the names of fewer', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, via: 'edge' });
    const hops = (count: number): string =>
      Array.from({ length: count }, (_, hop) => `1.1 hop${hop}`).join(', ');

    expect((await fetch(url, { headers: { via: hops(31) } })).status).toBe(508);
    await fetch(url, { headers: { via: hops(2) } });
    expect(upstream.seen.map(({ headers }) => headers['via'])).toEqual(['1.1 hop0, 1.1 hop1, 1.1 edge']);
  });
});
