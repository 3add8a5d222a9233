import { once } from 'node:events';
import { request } from 'node:http';
import { listen } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { errorType, proxied, rawExchange, testProxy } from './proxy-support.js';
import { closedPort, goodServer, sendJson, upstreamServer } from './upstream-server.js';

describe('proxy', () => {
  it('needs no Express', async () => {
    const upstream = await goodServer();
    const passOn = testProxy({ to: upstream.url });
    const url = await listen((req, res) => passOn(req, res, () => res.writeHead(502).end('none')));
    expect((await fetch(`${url}/a?b=c`)).status).toBe(200);
    expect(upstream.seen).toMatchObject([{ url: '/a?b=c' }]);

    const gone = testProxy({ to: await closedPort() });
    const other = await listen((req, res) => gone(req, res, () => res.writeHead(502).end('none')));
    const answer = await fetch(other);
    expect([answer.status, await answer.text()]).toEqual([502, 'none']);
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'passes a %s on with its path, its query and its body, and the answer back',
    async (method) => {
      const upstream = await upstreamServer((_req, res) => {
        res.writeHead(201, 'Made', { 'content-type': 'text/plain', 'x-answer': '42' }).end('done');
      });
      const url = await proxied({ to: upstream.url });

      const body = method === 'GET' || method === 'OPTIONS' ? undefined : 'some text';
      const answer = await fetch(
        `${url}/a%20b/c?q=1&q=2`,
        body === undefined ? { method } : { method, body },
      );

      expect(answer.status).toBe(201);
      expect(answer.statusText).toBe('Made');
      expect(answer.headers.get('x-answer')).toBe('42');
      expect(await answer.text()).toBe('done');
      expect(upstream.seen).toMatchObject([{ method, url: '/a%20b/c?q=1&q=2', body: body ?? '' }]);
    },
  );

  it('answers a HEAD with the fields of the upstream and no body', async () => {
    const upstream = await upstreamServer((_req, res) =>
      res.writeHead(200, { 'content-length': 1234 }).end(),
    );
    const answer = await fetch(await proxied({ to: upstream.url }), { method: 'HEAD' });

    expect(answer.headers.get('content-length')).toBe('1234');
    expect(await answer.text()).toBe('');
    expect(upstream.seen[0]?.method).toBe('HEAD');
  });

  it.each([204, 304, 404, 500, 503])('passes a %s on as it is', async (status) => {
    const upstream = await upstreamServer((_req, res) => res.writeHead(status, { etag: '"1"' }).end());
    const answer = await fetch(await proxied({ to: upstream.url }));

    expect(answer.status).toBe(status);
    expect(answer.headers.get('etag')).toBe('"1"');
  });

  it('keeps the connections of clients and to the upstream', async () => {
    const ports = new Set<number | undefined>();
    const upstream = await upstreamServer((req, res) => {
      ports.add(req.socket.remotePort);
      sendJson(res, {});
    });
    const url = await proxied({ to: upstream.url });
    for (let count = 0; count < 5; count += 1) await (await fetch(url)).text();
    const text = await rawExchange(
      url,
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );

    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it.each(['Negotiate', 'NTLM'])('gives nobody else a connection that is signed in by %s', async (scheme) => {
    const users = new WeakMap<object, string | undefined>();
    const upstream = await upstreamServer(({ headers: { authorization }, socket }, res) => {
      if (authorization?.startsWith(scheme)) users.set(socket, authorization);
      res.end(users.get(socket));
    });
    const url = await proxied({ to: upstream.url });
    const authorization = `${scheme} YWxpY2U=`;
    const own = await fetch(url, { headers: { authorization } });

    expect(await own.text()).toBe(authorization);
    expect(await (await fetch(url)).text()).toBe('');
  });

  it('takes the path below its mount, behind the prefix of the target', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: `${upstream.url}/base/` }, undefined, '/shop');
    await fetch(`${url}/shop/cart?x=1`);
    await fetch(`${url}/shop`);

    expect(upstream.seen.map(({ url }) => url)).toEqual(['/base/cart?x=1', '/base/']);
  });

  it('rewrites paths by their longest beginning, or by a function', async () => {
    const upstream = await goodServer();
    const byMap = await proxied({ to: upstream.url, rewrite: { '/api': '/v2', '/api/old': '' } });
    const byFunction = await proxied({ to: upstream.url, rewrite: (path) => path.replace('/a/', '/b/') });
    for (const path of ['/api/users', '/api', '/api?q', '/api/old/x', '/apiary']) await fetch(byMap + path);
    await fetch(`${byFunction}/a/1`);

    expect(upstream.seen.map(({ url }) => url)).toEqual([
      '/v2/users',
      '/v2',
      '/v2?q',
      '/x',
      '/apiary',
      '/b/1',
    ]);
  });

  it.each(['/../admin', '/a/..', '/%2e%2e/admin', '/a/%2E./b', '/..;/admin', '/a%2f..%2fb', '/a\\..\\b'])(
    'refuses the path %s, by which a prefix could be left',
    async (path) => {
      const upstream = await goodServer();
      const url = await proxied({ to: `${upstream.url}/base` });
      const text = await rawExchange(url, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);

      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(upstream.seen).toEqual([]);
    },
  );

  it('asks for the root where a function takes all of the path off', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, rewrite: (path) => path.replace(/^\/api/, '') });
    for (const path of ['/api', '/api?q=1', '/api/x', '/apihttp://elsewhere.example/'])
      expect((await fetch(url + path)).status).toBe(200);

    expect(upstream.seen.map((seen) => seen.url)).toEqual(['/', '/?q=1', '/x', '/http://elsewhere.example/']);
  });

  it('passes on a backslash in a query, where browsers leave it as it is', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });

    expect((await fetch(`${url}/files?at=C:\\temp\\..\\new`)).status).toBe(200);
    expect(upstream.seen).toMatchObject([{ url: '/files?at=C:\\temp\\..\\new' }]);
  });

  it('does not let the absolute form of a target choose the server', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });
    const text = await rawExchange(
      url,
      'GET http://elsewhere.example/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );

    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen[0]?.url).toBe('/x');
  });

  it('passes redirects on, translated to where it is mounted, and follows none', async () => {
    const upstream = await upstreamServer((req, res) => {
      const location = decodeURIComponent(req.url?.slice('/base/?to='.length) ?? '').replace(
        'ORIGIN',
        upstream.url,
      );
      res.writeHead(302, { location }).end();
    });
    const url = await proxied(
      { to: `${upstream.url}/base`, rewrite: { '/in': '/inner' } },
      undefined,
      '/shop',
    );
    const locationFor = async (to: string): Promise<string | null> => {
      const answer = await fetch(`${url}/shop?to=${encodeURIComponent(to)}`, { redirect: 'manual' });
      return answer.headers.get('location');
    };

    expect(await locationFor('/base/cart')).toBe('/shop/cart');
    expect(await locationFor('ORIGIN/base/inner/cart?x=1')).toBe('/shop/in/cart?x=1');
    // It names the scheme by which it is told that the client asks.
    expect(await locationFor(`${upstream.url.replace('http:', 'https:')}/base/cart`)).toBe('/shop/cart');
    expect(await locationFor('https://127.0.0.1/base/cart')).toBe('https://127.0.0.1/base/cart');
    expect(await locationFor('/shop/cart')).toBe('/shop/cart');
    expect(await locationFor('cart')).toBe('cart');
    expect(await locationFor('https://elsewhere.example/base')).toBe('https://elsewhere.example/base');
    expect(await locationFor('//elsewhere.example/base')).toBe('//elsewhere.example/base');
    expect(upstream.seen).toHaveLength(8);
  });

  it('keeps on this host what a redirect names by a path, however many slashes it has', async () => {
    const upstream = await upstreamServer((req, res) => {
      const at = req.headers['x-absolute'] === 'yes' ? upstream.url : '';
      res.writeHead(301, { location: `${at}${req.url ?? ''}/` }).end();
    });
    for (const [options, absolute] of [
      [{ to: `${upstream.url}/base` }, 'no'],
      [{ to: upstream.url, rewrite: { '/': '/root' } }, 'no'],
      [{ to: upstream.url }, 'yes'],
    ] as const) {
      const url = await proxied(options);
      const text = await rawExchange(
        url,
        `GET //elsewhere.example/x HTTP/1.1\r\nHost: a\r\nX-Absolute: ${absolute}\r\nConnection: close\r\n\r\n`,
      );
      const location = /^location: (.*)$/im.exec(text)?.[1]?.trim() ?? '';

      expect(new URL(location, url).href).toBe(`${url}//elsewhere.example/x/`);
    }
  });

  it('gives cookies of the upstream to its own host and mount, beside those of the app', async () => {
    const upstream = await upstreamServer((_req, res) => {
      const cookies = [
        'a=1; Domain=inner.example; Path=/; HttpOnly',
        'b=2; Path=/cart',
        '__Host-c=3; Secure; Path=/',
      ];
      res.setHeader('set-cookie', cookies).end();
    });
    const url = await proxied(
      { to: upstream.url },
      (app) =>
        app.use((_req, res, next) => {
          res.cookie('own', '1');
          next();
        }),
      '/shop',
    );
    const answer = await fetch(`${url}/shop`);

    expect(answer.headers.getSetCookie()).toEqual([
      'own=1; Path=/',
      'a=1; Path=/shop; HttpOnly',
      'b=2; Path=/shop/cart',
      '__Host-c=3; Secure; Path=/',
    ]);
  });

  it('lets no mount add attributes to cookies', async () => {
    const upstream = await upstreamServer((_req, res) =>
      res.setHeader('set-cookie', 'a=1; Path=/; HttpOnly').end(),
    );
    const url = await proxied({ to: upstream.url }, undefined, '/:tenant');
    const cookiesOf = async (path: string): Promise<string[]> =>
      (await fetch(url + path)).headers.getSetCookie();

    expect(await cookiesOf('/shop/login')).toEqual(['a=1; Path=/shop; HttpOnly']);
    expect(await cookiesOf('/shop;Domain=example.com/login')).toEqual(['a=1; HttpOnly']);
  });

  it('merges Vary, and leaves CORS and the request id of the app alone', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.setHeader('Vary', 'Accept-Encoding, origin').setHeader('X-Request-ID', 'theirs');
      res.setHeader('Access-Control-Allow-Origin', '*').setHeader('Access-Control-Allow-Credentials', 'true');
      res.setHeader('X-Frame-Options', 'SAMEORIGIN').end();
    });
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((_req, res, next) => {
        res.set({
          Vary: 'Origin',
          'X-Request-ID': 'ours',
          'Access-Control-Allow-Origin': 'https://a.example',
        });
        res.set({ 'X-Frame-Options': 'DENY', 'X-Ours': '1' });
        next();
      }),
    );
    const { headers } = await fetch(url);

    expect(headers.get('vary')).toBe('origin, Accept-Encoding');
    expect(headers.get('x-request-id')).toBe('ours');
    expect(headers.get('access-control-allow-origin')).toBe('https://a.example');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('x-ours')).toBe('1');
  });

  it('lets nobody read whom the app has refused, though the upstream would', async () => {
    const upstream = await upstreamServer(({ headers }, res) => {
      res.setHeader('Access-Control-Allow-Origin', headers.origin ?? '*');
      res.setHeader('Access-Control-Allow-Credentials', 'true').end();
    });
    const allowedBy = async (vary: string): Promise<string | null> => {
      const url = await proxied({ to: upstream.url }, (app) =>
        app.use((_req, res, next) => {
          // As cors leaves it for an origin that is not on its list.
          if (vary !== '') res.setHeader('Vary', vary);
          next();
        }),
      );
      const { headers } = await fetch(url, { headers: { origin: 'https://evil.example' } });
      expect(headers.has('access-control-allow-credentials')).toBe(
        headers.has('access-control-allow-origin'),
      );
      return headers.get('access-control-allow-origin');
    };

    for (const vary of ['Origin', 'Accept, origin', 'origin,Accept'])
      expect(await allowedBy(vary)).toBeNull();
    for (const vary of ['', 'Accept', 'X-Origin']) expect(await allowedBy(vary)).toBe('https://evil.example');
  });

  it('adds to Cache-Status what the app has to say, behind what the upstream said (RFC 9211 section 2)', async () => {
    const upstream = await upstreamServer((_req, res) =>
      res.setHeader('Cache-Status', ['Origin; hit', 'CDN; fwd=uri-miss']).end(),
    );
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((_req, res, next) => {
        res.set('Cache-Status', 'ours; fwd=bypass');
        next();
      }),
    );
    const { headers } = await fetch(url);

    expect(headers.get('cache-status')).toBe('Origin; hit, CDN; fwd=uri-miss, ours; fwd=bypass');
  });

  it.each([
    'Access-Control-Allow-Methods',
    'Access-Control-Allow-Headers',
    'Access-Control-Max-Age',
    'RateLimit',
    'RateLimit-Remaining',
    'X-RateLimit-Limit',
  ])('leaves the %s of the app alone, and passes it on where the app has none', async (name) => {
    const upstream = await upstreamServer((_req, res) => res.setHeader(name, '99').end());
    const ours = await proxied({ to: upstream.url }, (app) =>
      app.use((_req, res, next) => {
        res.set(name, '1');
        next();
      }),
    );

    expect((await fetch(ours)).headers.get(name)).toBe('1');
    expect((await fetch(await proxied({ to: upstream.url }))).headers.get(name)).toBe('99');
  });

  it('answers 405 to TRACE, which would show what was added on the way', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });
    const text = await rawExchange(url, 'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');

    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    expect(upstream.seen).toEqual([]);
  });

  it.each(['OPTIONS /a HTTP/1.1\r\nMax-Forwards: 0', 'OPTIONS * HTTP/1.1'])(
    'answers by itself where it is asked as the last one, or about the whole server: %j',
    async (head) => {
      const upstream = await goodServer();
      const url = await proxied({ to: upstream.url });
      const text = await rawExchange(url, `${head}\r\nHost: x\r\nConnection: close\r\n\r\n`);

      expect(text).toMatch(/^HTTP\/1.1 204 /);
      expect(text).toContain('Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n');
      expect(upstream.seen).toEqual([]);
    },
  );

  it('counts down how far OPTIONS may go, and leaves what is said of other methods alone', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });
    for (const hops of ['7', '9'.repeat(400), 'many'])
      await fetch(url, { method: 'OPTIONS', headers: { 'max-forwards': hops } });
    await fetch(url, { headers: { 'max-forwards': '0' } });

    const told = upstream.seen.map(({ headers }) => headers['max-forwards']);
    expect(told).toEqual(['6', '9007199254740991', 'many', '0']);
  });

  it('answers 502 where nobody listens', async () => {
    const answer = await fetch(await proxied({ to: await closedPort(), retries: 0 }));

    expect(answer.status).toBe(502);
    expect(await errorType(answer)).toBe('upstream_unreachable');
  });

  it('passes on early hints and other news before the answer', async () => {
    const upstream = await upstreamServer((_req, res) => {
      const hints = { 'x-hint': 'seen', connection: 'x-hop', 'x-hop': 'unseen', 'set-cookie': 'a=b' };
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style', ...hints }, () => res.end('page'));
    });
    const req = request(await proxied({ to: upstream.url })).end();
    const hint = once(req, 'information');
    const answer = once(req, 'response');

    expect((await hint)[0]).toMatchObject({
      statusCode: 103,
      headers: { link: '</style.css>; rel=preload; as=style', 'x-hint': 'seen' },
    });
    for (const name of ['connection', 'x-hop', 'set-cookie']) {
      expect((await hint)[0].headers[name]).toBeUndefined();
    }
    expect((await answer)[0]).toMatchObject({ statusCode: 200 });
  });

  it('passes on early hints of several links in one line', async () => {
    const links = ['</a,b.css>; rel=preload; as=style', '</c.js>; rel="preload"; title="x,y"', '<https://d>'];
    const upstream = await upstreamServer((_req, res) => {
      res.writeEarlyHints({ link: links }, () => res.end('page'));
    });
    const req = request(await proxied({ to: upstream.url })).end();
    const hints: unknown[] = [];
    req.on('information', ({ headers }) => void hints.push(headers['link']));
    await once(req, 'response');

    expect(hints).toEqual([links.join(', ')]);
  });

  it('works without Express, for whoever handles errors', async () => {
    const upstream = await goodServer();
    const forward = testProxy({ to: upstream.url }) as (...args: unknown[]) => void;
    const url = await listen((req, res) => forward(req, res, (error: unknown) => res.end(String(error))));

    expect(await (await fetch(`${url}/x`)).json()).toEqual({ from: 'good' });
    expect(upstream.seen[0]?.headers['x-forwarded-for']).toBe('127.0.0.1');
  });
});
