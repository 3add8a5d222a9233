import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { selfSigned } from '../support/self-signed.js';
import { send } from '../support/send.js';
import { ask, NAME, startSite, type Site } from './deploy-site.js';

interface Seen {
  server: string;
  url: string;
  headers: IncomingMessage['headers'];
}

const seen: Seen[] = [];
const servers: Server[] = [];
let site: Site;

/** Stands for the app, or for SearXNG: says who it is, and remembers what it was asked. */
async function standIn(name: string): Promise<string> {
  const server = createServer((req, res) => {
    seen.push({ server: name, url: req.url ?? '', headers: req.headers });
    answer(name, req, res);
  });
  server.on('upgrade', (_req, socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    socket.on('data', (piece: Buffer) => socket.write(`${name}:${piece.toString()}`));
  });
  servers.push(server);
  return new URL(await listen(server)).host;
}

function answer(name: string, req: IncomingMessage, res: ServerResponse): void {
  const { pathname } = new URL(req.url ?? '', 'http://x');
  res.setHeader('X-Request-ID', 'of-the-app');
  if (name === 'searxng') {
    res.setHeader('Set-Cookie', 'preferences=1');
    res.end('<h1>SearXNG</h1>');
  } else if (pathname === '/own-headers') {
    res.setHeader('Strict-Transport-Security', 'max-age=1');
    res.setHeader('X-Frame-Options', 'DENY');
    res.end(name);
  } else if (pathname === '/kept') {
    res.setHeader('Set-Cookie', []);
    res.end(`${name} ${seen.length}`);
  } else if (pathname === '/busy') {
    res.writeHead(503, { 'Retry-After': '7' }).end('busy');
  } else if (pathname === '/long') {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ text: 'signalbox '.repeat(500) }));
  } else {
    res.setHeader('Cache-Control', 'no-store');
    res.end(name);
  }
}

beforeAll(async () => {
  const apps = [await standIn('a'), await standIn('b'), await standIn('c')];
  site = await startSite({ apps, searxng: await standIn('searxng') });
});
afterAll(() => site.nginx.stop());

/** An address for each test, so that none uses up the limit of another. */
let addresses = 0;
const visitor = (): string => `127.0.1.${++addresses}`;

describe('TLS', () => {
  it('is spoken in versions 1.2 and 1.3, and in none before', async () => {
    const versionOf = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> => {
      const socket: TLSSocket = connectTls({
        host: '127.0.0.1',
        port: site.httpsPort,
        servername: NAME,
        minVersion: version,
        maxVersion: version,
        rejectUnauthorized: false,
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      // OpenSSL may have more to say than the first error.
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      const protocol = socket.getProtocol();
      socket.destroy();
      return protocol;
    };
    expect(await versionOf('TLSv1.2')).toBe('TLSv1.2');
    expect(await versionOf('TLSv1.3')).toBe('TLSv1.3');
    await expect(versionOf('TLSv1.1')).rejects.toThrow(/alert|version|protocol/i);
  });

  it('is refused for names that are not ours', async () => {
    await expect(ask(site, '/', { servername: 'other.example' })).rejects.toThrow(/alert|unrecognized/i);
  });

  it('is where plain HTTP leads, by the name that is ours whatever the request says', async () => {
    const moved = await send(`http://127.0.0.1:${site.httpPort}/a?b=c`, { headers: { host: NAME } });
    expect([moved.status, moved.headers['location']]).toEqual([308, `https://${NAME}/a?b=c`]);
    await expect(
      send(`http://127.0.0.1:${site.httpPort}/`, { headers: { host: 'evil.example' } }),
    ).rejects.toThrow();
  });
});

describe('certificates', () => {
  const plain = (path: string): ReturnType<typeof send> =>
    send(`http://127.0.0.1:${site.httpPort}${path}`, { headers: { host: NAME } });

  it('are asked for by plain HTTP: an authority finds what was left for it, and nothing else', async () => {
    const found = await plain('/.well-known/acme-challenge/token');

    expect([found.status, found.text]).toEqual([200, 'token.thumbprint']);
    expect((await plain('/.well-known/acme-challenge/other')).status).toBe(404);
    expect((await plain('/.well-known/acme-challenge/')).status).toBe(403);
    expect((await plain('/.well-known/other')).status).toBe(308);
  });

  it('are taken over by a reload', async () => {
    const { key, cert } = selfSigned();
    site.edit('tls/privkey.pem', () => key);
    site.edit('tls/fullchain.pem', () => cert);
    site.nginx.signal('SIGHUP');

    const { fingerprint256 } = new X509Certificate(cert);
    await eventually(async () => (await shownCertificate()) === fingerprint256);
  });

  async function shownCertificate(): Promise<string> {
    const { httpsPort: port } = site;
    const socket = connectTls({ host: '127.0.0.1', port, servername: NAME, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  }
});

describe('what the app is told', () => {
  it('is the address and the way of the visitor, and nothing that the visitor says of them', async () => {
    const from = visitor();
    const lies = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'http', 'x-request-id': 'mine' };
    const { headers } = await ask(site, '/openapi.json', { from, headers: lies });
    const told = seen.findLast(({ url }) => url === '/openapi.json')?.headers ?? {};
    expect(told).toMatchObject({
      host: NAME,
      'x-forwarded-for': from,
      'x-forwarded-proto': 'https',
      'x-request-id': headers['x-request-id'],
    });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('stickiness', () => {
  it('keeps a visitor at one instance, and uses all of them', async () => {
    const visitors = Array.from({ length: 24 }, (_, index) => `127.0.2.${index + 1}`);
    const first = await Promise.all(
      visitors.map(async (from) => (await ask(site, '/status', { from })).text),
    );
    const again = await Promise.all(
      visitors.map(async (from) => (await ask(site, '/status', { from })).text),
    );
    expect(again).toEqual(first);
    expect(new Set(first)).toEqual(new Set(['a', 'b', 'c']));
  });

  it('holds for WebSockets', async () => {
    const from = visitor();
    const { text } = await ask(site, '/status', { from });
    // TLS has no option for the address that it comes from.
    const below = connect({ host: '127.0.0.1', port: site.httpsPort, localAddress: from });
    const socket = connectTls({ socket: below, servername: NAME, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /);
    socket.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe(`${text}:hello`);
    socket.destroy();
  });
});

describe('limits', () => {
  it.each([
    ['/api/v2/me', 45, { burst: 20, perSecond: 10 }],
    ['/api/v2/search?q=x', 25, { burst: 10, perSecond: 5 }],
    ['/API/v1/SEARCH?q=x', 25, { burst: 10, perSecond: 5 }],
    ['/auth/login', 20, { burst: 10, perSecond: 0.5 }],
  ])('let a burst through to %s, and then no more than the rate', async (path, requests, zone) => {
    const from = visitor();
    const begin = performance.now();
    const answers = await Promise.all(Array.from({ length: requests }, () => ask(site, path, { from })));
    const tookSeconds = (performance.now() - begin) / 1_000;
    const passed = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect(passed.length + refused.length).toBe(requests);
    expect(passed.length).toBeGreaterThan(zone.burst);
    // On a busy machine the last of them come when the next are due already.
    expect(passed.length).toBeLessThanOrEqual(1 + zone.burst + Math.ceil(tookSeconds * zone.perSecond));
  });

  it('leave probes alone', async () => {
    const from = visitor();
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(site, '/readyz', { from })));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });

  it("refuse in the shape of the app's own errors", async () => {
    const from = visitor();
    const path = '/auth/login?token=secret';
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(site, path, { from })));
    const { headers, text } = answers.find(({ status }) => status === 429) ?? answers[0]!;
    expect(JSON.parse(text)).toMatchObject({
      error: { code: 429, type: 'rate_limited', path: '/auth/login', requestId: headers['x-request-id'] },
    });
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'retry-after': '1',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });
});

describe('headers', () => {
  it("are added where the app sends none, and are the app's where it does", async () => {
    const { headers: added } = await ask(site, '/status', { from: visitor() });
    expect(added).toMatchObject({
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
    });
    expect(added['server']).toBe('nginx');
    const { headers: own } = await ask(site, '/own-headers', { from: visitor() });
    expect(own).toMatchObject({ 'strict-transport-security': 'max-age=1', 'x-frame-options': 'DENY' });
    expect(own['content-security-policy']).toBeUndefined();
  });

  it('say that an answer is compressed, once, by nginx', async () => {
    const { headers, body } = await ask(site, '/long', { headers: { 'accept-encoding': 'gzip' } });
    expect([headers['content-encoding'], headers['vary']]).toEqual(['gzip', 'Accept-Encoding']);
    expect(gunzipSync(body).toString()).toContain('signalbox');
    expect(seen.findLast(({ url }) => url === '/long')?.headers['accept-encoding']).toBeUndefined();
  });

  it('refuse a body that is larger than the app takes', async () => {
    const { status, text } = await ask(site, '/api/v2/searches', {
      from: visitor(),
      method: 'POST',
      body: 'x'.repeat(70_000),
    });
    expect([status, JSON.parse(text)]).toMatchObject([413, { error: { type: 'payload_too_large' } }]);
  });
});

describe('the micro-cache', () => {
  it('gives what is a moment old to everybody, with a request id for each', async () => {
    const [one, two] = [await ask(site, '/kept?1'), await ask(site, '/kept?1')];
    expect(two.text).toBe(one.text);
    expect(one.headers['cache-status']).toBe('nginx; fwd=miss');
    expect(two.headers['cache-status']).toMatch(/^nginx; hit/);
    expect(two.headers['x-request-id']).not.toBe(one.headers['x-request-id']);
  });

  it.each(['cookie', 'authorization', 'x-api-key'])('is not for whoever sends %s', async (name) => {
    const headers = { [name]: 'somebody' };
    const before = seen.length;
    await ask(site, `/kept?${name}`, { headers });
    await ask(site, `/kept?${name}`);
    const { headers: bypassed } = await ask(site, `/kept?${name}`, { headers });
    expect(bypassed['cache-status']).toBe('nginx; fwd=bypass');
    expect(seen.length - before).toBe(3);
  });

  it('keeps nothing that must not be kept, and nothing of the API', async () => {
    for (const path of ['/no-store', '/api/v2/me']) {
      const before = seen.length;
      for (let count = 0; count < 3; count += 1) await ask(site, path);
      expect(seen.length - before).toBe(3);
    }
  });
});

describe('what is written down', () => {
  it('holds no query and no address', async () => {
    await ask(site, '/api/v2/search?q=my-secret', { from: '127.0.9.9' });
    await eventually(() => site.accessLog().includes('"/api/v2/search"'));
    const text = site.accessLog() + site.errorLog();
    expect(text).not.toMatch(/my-secret|127\.0\.9\.9|token=secret/);
    for (const line of site.accessLog().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });
});

describe('a reload', () => {
  it('loses no request, and takes effect', async () => {
    site.edit('signalbox/maps.conf', (text) => text.replace('no-referrer', 'same-origin'));
    await site.check();
    const statuses = new Set<number>();
    site.nginx.signal('SIGHUP');
    await eventually(async () => {
      const { status, headers } = await ask(site, '/status', { from: '127.0.3.1' });
      statuses.add(status);
      return headers['referrer-policy'] === 'same-origin';
    });
    expect([...statuses]).toEqual([200]);
  });

  it('is refused for files that are wrong, and the old ones stay in force', async () => {
    site.edit('signalbox/maps.conf', (text) => `${text}\nnonsense on;\n`);
    await expect(site.check()).rejects.toThrow('unknown directive "nonsense"');
    site.nginx.signal('SIGHUP');
    await eventually(() => site.errorLog().includes('nonsense') || site.nginx.output().includes('nonsense'));
    expect((await ask(site, '/status')).status).toBe(200);
    site.edit('signalbox/maps.conf', (text) => text.replace('\nnonsense on;\n', ''));
  });
});

// The last: nobody of the app is left afterwards.
describe('when instances are gone', () => {
  it("passes the app's own 503 on, with its Retry-After", async () => {
    const { status, headers, text } = await ask(site, '/busy');
    expect([status, headers['retry-after'], text]).toEqual([503, '7', 'busy']);
  });

  it('sends their visitors to those that are left', async () => {
    const visitors = Array.from({ length: 12 }, (_, index) => `127.0.4.${index + 1}`);
    const [first] = servers;
    first?.close();
    first?.closeAllConnections();
    const answers = await Promise.all(visitors.map((from) => ask(site, '/status', { from })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['b', 'c']));
  });

  it('answers pages from SearXNG, which sees no cookie and no token', async () => {
    for (const server of servers.slice(0, 3)) {
      server.close();
      server.closeAllConnections();
    }
    const headers = { cookie: 'sid=secret', authorization: 'Bearer secret', 'x-api-key': 'secret' };
    const answer = await ask(site, '/search?q=x', { from: visitor(), headers });
    expect([answer.status, answer.text]).toEqual([200, '<h1>SearXNG</h1>']);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'self'/);
    const told = seen.findLast(({ server }) => server === 'searxng')?.headers;
    for (const name of Object.keys(headers)) expect(told?.[name]).toBeUndefined();
  });

  it('answers the API, sign-in and probes by itself', async () => {
    for (const path of ['/api/v2/search?q=x', '/auth/session', '/readyz', '/socket.io/']) {
      const { status, headers, text } = await ask(site, path, { from: visitor() });
      expect([path, status, headers['retry-after']]).toEqual([path, 503, '5']);
      expect(JSON.parse(text)).toMatchObject({ error: { code: 503, type: 'service_unavailable' } });
    }
    const post = await ask(site, '/search', { method: 'POST', body: 'q=x', from: visitor() });
    expect(post.status).toBe(503);
  });

  it('says so when SearXNG is gone as well', async () => {
    servers[3]?.close();
    servers[3]?.closeAllConnections();
    const { status, text } = await ask(site, '/', { from: visitor() });
    expect([status, JSON.parse(text)]).toMatchObject([503, { error: { type: 'service_unavailable' } }]);
  });
});
