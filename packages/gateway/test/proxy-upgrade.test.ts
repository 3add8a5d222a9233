import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorHandler, UnauthorizedError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express, type RequestHandler } from 'express';
import { WebSocket } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rawConnection, testProxy } from './proxy-support.js';
import { rawServer, until, upstreamServer } from './upstream-server.js';
import type { Proxy, ProxyOptions } from '@signalbox/gateway';

interface SocketServer {
  url: string;
  seen: { url: string | undefined; headers: Record<string, unknown> }[];
  sockets: Duplex[];
}

/** Speaks WebSocket as far as to send short texts back. */
async function echoSocketServer(): Promise<SocketServer> {
  const server = createServer((_req, res) => res.writeHead(426).end('upgrade'));
  const seen: SocketServer['seen'] = [];
  const sockets: Duplex[] = [];
  server.on('upgrade', (req, socket) => {
    const { url, headers } = req;
    seen.push({ url, headers });
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (url === '/refused') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
      return;
    }
    const key = `${req.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSet-Cookie: a=1; Domain=inner\r\n\r\n`,
    );
    socket.on('end', () => socket.destroy());
    socket.on('data', (frame: Buffer) => {
      socket.write(url === '/raw' ? frame : unmasked(frame));
      // The close frame, after which it is the server that closes.
      if (url !== '/raw' && frame[0] === 0x88) socket.end();
    });
  });
  return { url: await listen(server), seen, sockets };
}

function unmasked(frame: Buffer): Buffer {
  const length = (frame[1] ?? 0) & 0x7f;
  const mask = frame.subarray(2, 6);
  const text = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([frame[0] ?? 0, length]), text]);
}

/** A server whose requests to upgrade below `/shop` go through its app. */
async function gateway(
  options: ProxyOptions,
  configure: (app: Express) => void = () => undefined,
): Promise<{ url: string; shop: Proxy; server: Server }> {
  const shop = testProxy(options);
  const app = express();
  app.use((_req, res, next) => {
    Object.assign(res, { err: undefined });
    next();
  });
  configure(app);
  app.use('/shop', shop);
  app.use(errorHandler());
  const server = createServer(app);
  shop.attach(server, { path: '/shop', app });
  return { url: await listen(server), shop, server };
}

function handshake(path: string, ...lines: readonly string[]): string {
  const fields = [
    'Host: shop.example',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];
  return [`GET ${path} HTTP/1.1`, ...fields, ...lines, '', ''].join('\r\n');
}

/** Says something as soon as it has agreed. */
async function greetingServer(): Promise<string> {
  return rawServer((socket) =>
    socket.once('data', () =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello',
      ),
    ),
  );
}

/** As what keeps sessions, which are saved before an answer ends. */
function endsLate(status?: number): RequestHandler {
  return (_req, res, next) => {
    const end = res.end.bind(res);
    res.end = () => {
      setTimeout(() => {
        res.statusCode = status ?? res.statusCode;
        end();
      }, 50);
      return res;
    };
    next();
  };
}

describe('WebSocket through a proxy', () => {
  it('passes messages both ways', async () => {
    const upstream = await echoSocketServer();
    const { url, shop } = await gateway({ to: upstream.url });
    const socket = new WebSocket(`${url.replace('http', 'ws')}/shop/chat?room=1`);
    await once(socket, 'open');
    expect(shop.state().tunnels).toBe(1);
    for (const text of ['one', 'two']) {
      const message = once(socket, 'message');
      socket.send(text);
      expect(((await message)[0] as { data: string }).data).toBe(text);
    }
    socket.close();
    await once(socket, 'close');
    await until(() => shop.state().tunnels === 0);

    expect(upstream.seen).toMatchObject([
      {
        url: '/chat?room=1',
        headers: { upgrade: 'websocket', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-prefix': '/shop' },
      },
    ]);
  });

  it('passes on what the client sends before it has an answer, and any amount afterwards', async () => {
    const upstream = await echoSocketServer();
    const { url } = await gateway({ to: upstream.url });
    const socket = await rawConnection(url);
    socket.write(`${handshake('/shop/raw')}early`);
    await until(() => socket.text().includes('early'));
    const megabytes = 'x'.repeat(5_000_000);
    socket.write(megabytes);
    await until(() => socket.text().length > megabytes.length);

    expect(socket.text()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(socket.text()).toMatch(/Set-Cookie: a=1\r\n/);
    expect(socket.text().endsWith(`early${megabytes}`)).toBe(true);
  });

  it('goes through the app: its middlewares see the request, and refuse it', async () => {
    const upstream = await echoSocketServer();
    let finished = '';
    const { url } = await gateway({ to: upstream.url }, (app) =>
      app.use((req, res, next) => {
        res.on('close', () => void (finished = `${req.originalUrl} ${res.statusCode}`));
        next(req.headers.authorization === 'Bearer x' ? undefined : new UnauthorizedError());
      }),
    );
    const refused = await rawConnection(url);
    const closed = once(refused, 'close');
    refused.write(handshake('/shop/chat'));
    await closed;
    expect(refused.text()).toMatch(/^HTTP\/1\.1 401 /);
    expect(refused.text()).toContain('"unauthorized"');
    await until(() => finished === '/shop/chat 401');
    expect(upstream.seen).toEqual([]);

    const welcome = await rawConnection(url);
    welcome.write(handshake('/shop/chat', 'Authorization: Bearer x'));
    await until(() => welcome.text().startsWith('HTTP/1.1 101'));
    await until(() => finished === '/shop/chat 101');
  });

  it('passes on the upstream’s refusal', async () => {
    const upstream = await echoSocketServer();
    const { url, shop } = await gateway({ to: upstream.url });
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.write(handshake('/shop/refused'));
    await closed;

    expect(socket.text()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(socket.text()).toMatch(/\r\n\r\nno$/);
    expect(shop.state().tunnels).toBe(0);
  });

  it('passes on a refusal that is larger than what a connection takes at once', async () => {
    const bytes = 20_000_000;
    const upstream = await rawServer((socket) =>
      socket.once('data', () => {
        socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${bytes}\r\n\r\n`);
        socket.write(Buffer.alloc(bytes));
      }),
    );
    const { url } = await gateway({ to: upstream });
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.pause();
    socket.write(handshake('/shop/chat'));
    await sleep(500);
    socket.resume();
    await closed;

    expect(socket.bytesRead).toBeGreaterThan(bytes);
  });

  it('keeps no connection that is refused, whatever its client does', async () => {
    const upstream = await echoSocketServer();
    const { url, server } = await gateway({ to: upstream.url });
    const sockets = new Set<Duplex>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    for (const bytes of ['', 'more than a handshake']) {
      const client = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
      onTestFinished(() => void client.destroy());
      client.on('error', () => undefined).resume();
      client.write(handshake('/shop/refused') + bytes);
      await once(client, 'end');
      await until(() => sockets.size === 0);
    }
  });

  it('lets go of the upstream at once when the client leaves before there is an answer', async () => {
    const sockets = new Set<Duplex>();
    const upstream = await rawServer((socket) => {
      socket.on('data', () => sockets.add(socket)).on('close', () => sockets.delete(socket));
    });
    const { url, shop } = await gateway({ to: upstream });
    for (const how of ['end', 'destroy'] as const) {
      const client = await rawConnection(url);
      client.write(handshake('/shop/chat'));
      await until(() => sockets.size === 1);
      const leftAt = performance.now();
      client[how]();
      await until(() => sockets.size === 0 && shop.state().inFlight === 0);
      expect(performance.now() - leftAt).toBeLessThan(1_000);
    }
  });

  it.each([
    ['fields without number', 'X-Many: 1\r\n'.repeat(300)],
    ['a transfer coding', 'Transfer-Encoding: gzip\r\n'],
  ])('answers 502 to an upstream that agrees with %s', async (_what, fields) => {
    const upstream = await rawServer((socket) => {
      socket.once('data', () =>
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${fields}\r\n`,
        ),
      );
    });
    const { url, shop } = await gateway({ to: upstream });
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.write(handshake('/shop/chat'));
    await closed;

    expect(socket.text()).toMatch(/^HTTP\/1\.1 502 /);
    expect(socket.text()).toContain('"upstream_invalid_response"');
    expect(shop.state()).toMatchObject({ tunnels: 0, inFlight: 0, servers: [{ consecutiveFailures: 1 }] });
  });

  it('answers 502 where the upstream is not there, and 400 to another method than GET', async () => {
    const { url } = await gateway({ to: 'http://127.0.0.1:1', retries: 0 });
    for (const [bytes, status] of [
      [handshake('/shop/x'), 502],
      [handshake('/shop/x').replace('GET', 'POST'), 400],
    ] as const) {
      const socket = await rawConnection(url);
      const closed = once(socket, 'close');
      socket.write(bytes);
      await closed;
      expect(socket.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it('leaves requests alone that offer HTTP/2 beside, as curl and Java’s client do', async () => {
    const { url, seen } = await upstreamServer((_req, res) => res.end('served'));
    const shop = await gateway({ to: url });
    const socket = await rawConnection(shop.url);
    const closed = once(socket, 'close');
    const offer =
      'Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    socket.write(`POST /shop/x HTTP/1.1\r\n${offer}Connection: close\r\nContent-Length: 4\r\n\r\nbody`);
    await closed;

    expect(socket.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n[^]*served/);
    expect(seen).toMatchObject([{ url: '/x', body: 'body' }]);
    expect(seen[0]?.headers).not.toHaveProperty('upgrade');
    expect(seen[0]?.headers).not.toHaveProperty('http2-settings');
  });

  it('ends on one side when it ends on the other', async () => {
    const upstream = await echoSocketServer();
    const { url, shop } = await gateway({ to: upstream.url });
    const first = await rawConnection(url);
    first.write(handshake('/shop/raw'));
    await until(() => shop.state().tunnels === 1);
    first.destroy();
    await until(() => upstream.sockets[0]?.destroyed ?? false);

    const second = await rawConnection(url);
    second.write(handshake('/shop/raw'));
    await until(() => second.text().startsWith('HTTP/1.1 101'));
    const closed = once(second, 'close');
    upstream.sockets[1]?.destroy();
    await closed;
    await until(() => shop.state().tunnels === 0);
  });

  it('begins once its head has left, though a middleware holds that back', async () => {
    const upstream = await greetingServer();
    const { url, shop } = await gateway({ to: upstream }, (app) => app.use(endsLate()));
    const socket = await rawConnection(url);
    socket.write(handshake('/shop/chat'));
    await until(() => socket.text().includes('hello'));
    expect(socket.text()).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\nhello$/);
    expect(shop.state().tunnels).toBe(1);
  });

  it('is none where the middleware that held its head back makes an error of it', async () => {
    const upstream = await greetingServer();
    const { url, shop } = await gateway({ to: upstream }, (app) => app.use(endsLate(503)));
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.write(handshake('/shop/chat'));
    await closed;
    expect(socket.text()).toMatch(/^HTTP\/1\.1 503 /);
    expect(socket.text()).not.toContain('hello');
    expect(shop.state().tunnels).toBe(0);
  });

  it('goes on while somebody else reads an answer slowly', async () => {
    const upstream = await rawServer((socket) =>
      socket.once('data', (head) => {
        if (String(head).includes('websocket')) {
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
          );
          socket.once('data', () => socket.write(Buffer.alloc(20_000_000)));
        } else {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n');
          socket.write(Buffer.alloc(50_000_000));
        }
      }),
    );
    // One connection to the upstream: the tunnel leaves it, and the answer comes by the next one in its place.
    const { url } = await gateway({ to: upstream, maxConnections: 1 });
    const tunnel = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void tunnel.destroy());
    tunnel.write(handshake('/shop/ws'));
    await once(tunnel, 'readable');
    const slow = await rawConnection(url);
    slow.pause();
    slow.write('GET /shop/file HTTP/1.1\r\nHost: a\r\n\r\n');
    await sleep(500);

    tunnel.write('go');
    // For so long that the tunnel has to wait for its client, too.
    await sleep(500);
    let bytes = 0;
    tunnel.on('data', (chunk: Buffer) => void (bytes += chunk.length));
    await until(() => bytes > 20_000_000);
  });

  it('ends when the proxy is closed', async () => {
    const upstream = await echoSocketServer();
    const { url, shop } = await gateway({ to: upstream.url });
    const socket = await rawConnection(url);
    socket.write(handshake('/shop/raw'));
    await until(() => shop.state().tunnels === 1);
    const closed = once(socket, 'close');
    await shop.close();
    await closed;
  });

  it('ends when the proxy is closed during the handshake', async () => {
    let agree = (): void => undefined;
    const upstream = await rawServer((socket) => {
      socket.once('data', () => {
        agree = () =>
          void socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
          );
      });
    });
    const { url, shop } = await gateway({ to: upstream });
    const socket = await rawConnection(url);
    const closed = once(socket, 'close');
    socket.write(handshake('/shop/chat'));
    await until(() => shop.state().inFlight === 1);
    const closing = shop.close();
    await sleep(50);
    agree();
    await Promise.all([closing, closed]);

    expect(shop.state().tunnels).toBe(0);
  });

  it('closes a connection that asks for it while an earlier request waits for its answer', async () => {
    const upstream = await echoSocketServer();
    const { url } = await gateway({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => void (req.path === '/slow' || next())),
    );
    for (const path of ['/shop/chat', '/nobodys']) {
      const socket = await rawConnection(url);
      const closed = once(socket, 'close');
      socket.write(`GET /slow HTTP/1.1\r\nHost: shop.example\r\n\r\n${handshake(path)}`);
      await closed;
      expect(socket.text()).toBe('');
    }
    expect(upstream.seen).toEqual([]);
  });

  it('serves what is nobody’s as any request where nobody else listens', async () => {
    const upstream = await echoSocketServer();
    const { url } = await gateway({ to: upstream.url });
    const socket = await rawConnection(url);
    socket.write(handshake('/shopping'));
    await until(() => socket.text().startsWith('HTTP/1.1 404'));
  });

  it('serves what is nobody’s as any request where several proxies listen', async () => {
    const upstream = await echoSocketServer();
    const { url, server } = await gateway({ to: upstream.url });
    testProxy({ to: upstream.url }).attach(server, { path: '/raw-shop' });
    const nobodys = await rawConnection(url);
    nobodys.write(handshake('/other'));
    await until(() => nobodys.text().startsWith('HTTP/1.1 404'));

    for (const path of ['/shop/raw', '/raw-shop/raw']) {
      const socket = await rawConnection(url);
      socket.write(handshake(path));
      await until(() => socket.text().startsWith('HTTP/1.1 101'));
    }
  });

  it('leaves paths of others to them, and works without an app', async () => {
    const upstream = await echoSocketServer();
    const shop = testProxy({ to: upstream.url });
    const server = createServer((_req, res) => res.end());
    const detach = shop.attach(server, { path: '/shop' });
    server.on('upgrade', (req, socket) => {
      if (req.url === '/other') socket.end('other');
    });
    const url = await listen(server);
    const other = await rawConnection(url);
    other.write(handshake('/other'));
    await until(() => other.text() === 'other');
    const socket = await rawConnection(url);
    socket.write(handshake('/shop/raw'));
    await until(() => socket.text().startsWith('HTTP/1.1 101'));

    expect(upstream.seen.map(({ url }) => url)).toEqual(['/raw']);
    detach();
    expect(server.listenerCount('upgrade')).toBe(1);
  });
});
