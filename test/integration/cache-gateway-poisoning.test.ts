import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { send } from '../support/send.js';
import { edgeOf, originOf, whole, type Origin } from './cache-edge.js';

/** What many servers take for the truth about a request, though anybody can send it. */
const UNKEYED = [
  'forwarded',
  'front-end-https',
  'x-client-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-path',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-uri',
  'x-original-url',
  'x-real-ip',
  'x-remote-user',
  'x-rewrite-url',
  'x-scheme',
  'x-script-name',
  'x-url-scheme',
  'true-client-ip',
  'remote-user',
];

/** An origin that puts all it believes into its page. */
async function believingOrigin(): Promise<Origin> {
  return originOf((socket, request) => {
    const believed = request.split('\r\n').filter((line) => {
      const name = line.slice(0, line.indexOf(':')).toLowerCase().replaceAll('_', '-');
      return UNKEYED.includes(name);
    });
    socket.write(whole(`${request.split('\r\n', 1)[0]}\n${believed.join('\n')}`));
  });
}

describe('a poisoned answer of an origin that believes what it is told', () => {
  it.each(UNKEYED)('through %s is for nobody else', async (name) => {
    const origin = await believingOrigin();
    const { url } = await edgeOf(origin);
    const evil = name === 'forwarded' ? 'host=evil.example' : 'evil.example';
    for (const spelling of [name, name.replaceAll('-', '_')]) {
      await send(url, { path: '/page', headers: { [spelling]: evil } });
    }
    const answer = await send(url, { path: '/page' });
    expect(answer.text).toContain('GET /page HTTP/1.1');
    expect(answer.text).not.toContain('evil');
  });

  it('through another Host is for that host', async () => {
    const origin = await believingOrigin();
    const { url } = await edgeOf(origin, {}, { preserveHost: true });
    await send(url, { headers: { host: 'evil.example' } });
    expect((await send(url, { headers: { host: 'good.example' } })).text).not.toContain('evil');
  });

  it('through an absolute target is for nobody else', async () => {
    const origin = await believingOrigin();
    const { url, route } = await edgeOf(origin);
    await send(url, { path: 'http://evil.example/page' });
    expect(route.report().stored).toBe(0);
    expect((await send(url, { path: '/page' })).text).not.toContain('evil');
  });

  it('by a field that Connection takes away on the way to the origin is for nobody else', async () => {
    const origin = await originOf((socket, request) => {
      const [, language = 'none'] = /^accept-language: (.*)$/im.exec(request) ?? [];
      socket.write(whole(language, 'Vary: Accept-Language\r\n'));
    });
    const { url } = await edgeOf(origin);
    const german = { 'accept-language': 'de' };
    await send(url, { headers: { ...german, connection: 'close, Accept-Language' } });
    expect((await send(url, { headers: german })).text).toBe('de');
  });

  it('through a body, a condition or a range of its own is for nobody else', async () => {
    const origin = await originOf((socket, request) => {
      if (/^if-none-match: "evil"/im.test(request)) socket.write('HTTP/1.1 304 Not Modified\r\n\r\n');
      else if (/^range:/im.test(request))
        socket.write(whole('ev').replace('200 OK', '206 Partial Content\r\nContent-Range: bytes 0-1/4'));
      else socket.write(whole(/^content-length: [1-9]/im.test(request) ? 'evil' : 'good'));
    });
    const { url } = await edgeOf(origin);
    await send(url, { headers: { 'if-none-match': '"evil"' } });
    await send(url, { headers: { range: 'bytes=0-1' } });
    await send(url, { path: '/fat', headers: { 'content-length': '4' }, body: 'evil' });
    expect(await send(url)).toMatchObject({ status: 200, text: 'good' });
    expect(await send(url, { path: '/fat' })).toMatchObject({ status: 200, text: 'good' });
  });

  it('with a parameter twice is for who asks so', async () => {
    const origin = await believingOrigin();
    const { url } = await edgeOf(origin);
    const asked = [
      '/s?q=evil&q=tea',
      '/s?q=tea&q=evil',
      '/s?q=tea',
      '/s?q[]=evil&q=tea',
      '/s?q=tea;q=evil',
      '/s?Q=evil&q=tea',
    ];
    for (const path of [...asked, ...asked]) {
      expect((await send(url, { path })).text).toContain(`GET ${path} HTTP/1.1`);
    }
    expect(origin.requests).toHaveLength(asked.length);
  });
});

/**
 * An origin as careless as they come: it decodes paths twice, resolves dots, cuts off parameters, suffixes and what is
 * behind a NUL, and folds case before it looks who is meant.
 */
async function sloppyOrigin(): Promise<Origin> {
  return originOf((socket, request) => {
    const [, target = ''] = request.split(' ');
    const who = /^cookie: sid=(\w+)/im.exec(request)?.[1] ?? 'nobody';
    let path = target.replace(/[?#].*/, '');
    for (let times = 0; times < 2; times += 1)
      path = path.replace(/%[0-9a-f]{2}/gi, (each) => decodeURIComponent(each));
    path = path
      .replace(/[;\0].*/, '')
      .replace(/\/[^/]*\/\.\.(?=\/|$)/g, '')
      .replace(/\/+/g, '/')
      .toLowerCase();
    const isUserPage = path.startsWith('/me');
    socket.write(isUserPage ? whole(`page of ${who}`).replace('public, ', '') : whole('for all'));
  });
}

describe('a page of a user, by whatever path', () => {
  const TRICKS = [
    '/me',
    '/me/',
    '//me',
    '/me//',
    '/ME',
    '/me.',
    '/me/.css',
    '/me/x.css',
    '/me.css',
    '/me;x',
    '/me;x.css',
    '/me;/x.css',
    '/me%2fx.css',
    '/me%2Fx.css',
    '/me%252fx.css',
    '/me%00.css',
    '/me%3b.css',
    '/me%23.css',
    '/me%3f.css',
    '/%6de',
    '/me?x.css',
    '/me?cb=1',
    '/static/..%2fme',
    '/static/%2e%2e/me',
    '/static/%2e%2e%2fme',
    '/static/../me',
    '/static/..;/me',
    '/me/..%2fstatic',
    '/me/../static/x.css',
    '/me/%2e%2e%2fstatic%2fx.css',
    '/me#x.css',
    '/me\\x.css',
  ];

  it.each(TRICKS)('%s is never another one’s', async (path) => {
    const origin = await sloppyOrigin();
    const { url } = await edgeOf(origin, { ttlMs: 60_000, heuristic: true });
    const alice = await send(url, { path, headers: { cookie: 'sid=alice' } });
    // Whoever decides by dots is refused, or served what is for all.
    if (alice.status === 200) expect(alice.text).toMatch(/^page of alice$|^for all$/);
    else expect(alice.status).toBe(400);
    for (const headers of [{}, { cookie: 'sid=bob' }, { authorization: 'Bearer bob' }]) {
      for (const asked of [path, '/me', '/static/x.css']) {
        expect((await send(url, { path: asked, headers })).text).not.toContain('alice');
      }
    }
    expect((await send(url, { path: '/static', headers: {} })).text).toBe('for all');
  });

  it('is not kept where it sets a cookie, be it asked for by nobody in particular', async () => {
    const origin = await originOf(
      (socket, _request, count) =>
        void socket.write(whole(`page ${count}`, `Set-Cookie: sid=user${count}\r\n`)),
    );
    const { url } = await edgeOf(origin);
    for (const number of [1, 2]) {
      const { text, headers } = await send(url);
      expect([text, headers['set-cookie']]).toEqual([`page ${number}`, [`sid=user${number}`]]);
    }
  });

  it('is refused with a raw NUL', async () => {
    const origin = await sloppyOrigin();
    const { url } = await edgeOf(origin);
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk))).on('error', () => undefined);
    socket.write('GET /me\0.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(origin.requests).toEqual([]);
  });
});
