import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorHandler } from '@signalbox/errors';
import { proxy, type Proxy, type ProxyOptions } from '@signalbox/gateway';
import { serve } from '@signalbox/server';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startProgram } from '../support/program.js';

/** A proxy below `/shop`, on `serve` as the orchestrator is, WebSockets included. */
async function gateway(options: ProxyOptions): Promise<{ url: string; shop: Proxy }> {
  const shop = proxy(options);
  const app = express().disable('x-powered-by');
  app.use((_req, res, next) => {
    // As a request logger does that reports errors itself.
    Object.assign(res, { err: undefined });
    next();
  });
  app.use('/shop', shop);
  app.use(errorHandler());
  const server = await serve(app, {
    host: '127.0.0.1',
    port: 0,
    signals: false,
    attach: (httpServer) => void shop.attach(httpServer, { path: '/shop', app }),
    drain: { readinessDelayMs: 0 },
  });
  onTestFinished(async () => {
    await shop.close();
    await server.close({ withinMs: 500 });
  });
  return { url: server.url, shop };
}

/** Answers each piece that comes with its own name before it. */
async function echoServer(name: string): Promise<{ url: string; sockets: Duplex[]; server: Server }> {
  const sockets: Duplex[] = [];
  const server = createServer((_req, res) => res.end(name));
  server.on('upgrade', (_req, socket) => {
    sockets.push(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    socket.on('error', () => undefined).on('end', () => socket.destroy());
    socket.on('data', (piece: Buffer) => socket.write(`${name}:${piece.toString()}`));
  });
  return { url: await listen(server), sockets, server };
}

interface Talk {
  socket: Socket;
  say: (text: string) => Promise<string>;
}

/** A client that has upgraded; what it then says and hears are no frames, which are nobody's business on the way. */
async function upgraded(url: string): Promise<Talk> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(
    'GET /shop/chat HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString().startsWith('HTTP/1.1 101 ')) throw new Error(head.toString());
  return {
    socket,
    async say(text) {
      const heard = once(socket, 'data');
      socket.write(text);
      return String((await heard)[0]);
    },
  };
}

describe('WebSockets through a proxy on serve()', () => {
  it('are shared among several upstreams, and each stays with its own', async () => {
    const servers = await Promise.all(['a', 'b', 'c'].map(echoServer));
    const { url, shop } = await gateway({ to: servers.map((server) => server.url) });
    const talks = await Promise.all(Array.from({ length: 30 }, () => upgraded(url)));
    const names = await Promise.all(talks.map(({ say }) => say('one')));

    for (const { sockets } of servers) expect(sockets.length).toBeGreaterThan(2);
    expect(shop.state().tunnels).toBe(30);
    for (const [index, { say }] of talks.entries()) {
      expect(await say('two')).toBe(names[index]?.replace('one', 'two'));
    }
    expect(await (await fetch(`${url}/shop/`)).text()).toMatch(/^[abc]$/);
  });

  it('outlive an upstream that is not theirs, and begin at those that are left', async () => {
    const [first, second] = await Promise.all([echoServer('a'), echoServer('b')]);
    const { url, shop } = await gateway({ to: [first.url, second.url] });
    const talks = await Promise.all(Array.from({ length: 12 }, () => upgraded(url)));
    const names = await Promise.all(talks.map(({ say }) => say('?')));

    first.server.close();
    first.server.closeAllConnections();
    for (const socket of first.sockets) socket.destroy();
    await eventually(() => shop.state().tunnels === second.sockets.length);
    for (const [index, { socket, say }] of talks.entries()) {
      if (names[index] === 'a:?') await eventually(() => socket.destroyed);
      else expect(await say('still')).toBe('b:still');
    }
    for (let count = 0; count < 5; count += 1) expect(await (await upgraded(url)).say('new')).toBe('b:new');
  });
});

describe('a client that leaves', () => {
  it.each([
    ['before the answer', false],
    ['in the middle of it', true],
  ])('%s ends the work at the upstream within 50 ms', async (_when, isAnswering) => {
    let goneAt = 0;
    let isAsked = false;
    const upstream = await listen((_req, res) => {
      isAsked = true;
      if (isAnswering) res.write('first');
      res.on('close', () => void (goneAt = performance.now()));
    });
    const { url } = await gateway({ to: upstream });
    const tookMs: number[] = [];
    for (let count = 0; count < 15; count += 1) {
      [goneAt, isAsked] = [0, false];
      const req = request(`${url}/shop/`)
        .on('error', () => undefined)
        .end();
      if (isAnswering) {
        const [answer] = (await once(req, 'response')) as [IncomingMessage];
        answer.on('error', () => undefined);
        await once(answer, 'data');
      } else await eventually(() => isAsked);
      const leftAt = performance.now();
      req.destroy();
      await eventually(() => goneAt > 0);
      tookMs.push(goneAt - leftAt);
    }
    // The middle one: a machine that does something else for a moment says nothing of the proxy.
    expect(tookMs.toSorted((a, b) => a - b)[7]).toBeLessThanOrEqual(50);
  });
});

describe('what comes bit by bit through a proxy on serve()', () => {
  it('is passed on at once: early hints, the head, each event, and trailers', async () => {
    let send: (text: string) => void = () => undefined;
    let end = (): void => undefined;
    const upstream = await listen((_req, res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      res.writeHead(200, { 'content-type': 'text/event-stream', trailer: 'x-sum' });
      res.flushHeaders();
      send = (text) => void res.write(text);
      end = () => {
        res.addTrailers({ 'x-sum': '42' });
        res.end();
      };
    });
    const { url } = await gateway({ to: upstream });
    const req = request(`${url}/shop/events`, { headers: { te: 'trailers' } }).end();
    const hint = once(req, 'information');
    const response = once(req, 'response');

    expect((await hint)[0]).toMatchObject({
      statusCode: 103,
      headers: { link: expect.stringContaining('preload') },
    });
    const [answer] = (await response) as [IncomingMessage];
    expect(answer.headers['content-type']).toBe('text/event-stream');
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      const heard = once(answer, 'data');
      send(event);
      expect(String((await heard)[0])).toBe(event);
    }
    end();
    answer.resume();
    await once(answer, 'end');
    expect(answer.trailers).toEqual({ 'x-sum': '42' });
  });
});

const MEGABYTE = 1_048_576;
const SIZE = 200 * MEGABYTE;
/** A hundredth of what passes. */
const FLAT_MB = 2;

// In a process of its own, so that its memory is the proxy's alone.
const GATEWAY = `
  import { proxy } from '@signalbox/gateway';
  import { serve } from '@signalbox/server';
  import express from 'express';
  let peak = 0;
  // Without what nobody holds any more: when that goes is up to V8, and it does so in the second of two collections.
  const look = () => { globalThis.gc(); globalThis.gc(); peak = Math.max(peak, process.memoryUsage().arrayBuffers); };
  setInterval(look, 100).unref();
  const app = express();
  app.get('/peak', (_req, res) => { res.json({ peak }); peak = 0; look(); });
  app.use(proxy({ to: process.env.UPSTREAM }));
  const { url } = await serve(app, { host: '127.0.0.1', port: 0 });
  console.log('listening on ' + url);
`;

/** Reads all of it, with pauses, so that it is the reader who sets the pace. */
async function readSlowly(from: IncomingMessage): Promise<number> {
  let bytes = 0;
  let nextPauseAt = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes < nextPauseAt) continue;
    nextPauseAt = bytes + 10 * MEGABYTE;
    await sleep(20);
  }
  return bytes;
}

/** Sends `SIZE` bytes as fast as they are taken. */
async function sendAll(to: NodeJS.WritableStream): Promise<void> {
  const chunk = Buffer.alloc(MEGABYTE, 'x');
  for (let sent = 0; sent < SIZE; sent += chunk.length) {
    if (!to.write(chunk)) await once(to, 'drain');
  }
  to.end();
}

describe('200 MB through a proxy on serve(), to somebody who reads slowly', () => {
  it('take as much memory as a few pieces of it, both ways', async () => {
    const upstream = await listen(async (req, res) => {
      if (req.url === '/ready') res.end('yes');
      else if (req.method === 'POST') res.end(String(await readSlowly(req)));
      else await sendAll(res);
    });
    const program = await startProgram(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', GATEWAY],
      {
        name: 'gateway',
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: { UPSTREAM: upstream },
        ready: /listening on http/,
      },
    );
    onTestFinished(async () => void (await program.stop()));
    const [, url = ''] = await program.waitFor(/listening on (http:\S+)/);
    const peakMb = async (): Promise<number> => {
      const { peak } = (await (await fetch(`${url}/peak`)).json()) as { peak: number };
      return peak / MEGABYTE;
    };

    // What the parser takes, once for all.
    await (await fetch(`${url}/ready`)).text();
    await peakMb();
    const before = await peakMb();

    const download = request(url).end();
    const [answer] = (await once(download, 'response')) as [IncomingMessage];
    expect(await readSlowly(answer)).toBe(SIZE);
    expect((await peakMb()) - before).toBeLessThan(FLAT_MB);

    const upload = request(url, { method: 'POST' });
    const stored = once(upload, 'response') as Promise<[IncomingMessage]>;
    await sendAll(upload);
    const [told] = await stored;
    let text = '';
    for await (const piece of told as AsyncIterable<Buffer>) text += piece.toString();
    expect(Number(text)).toBe(SIZE);
    expect((await peakMb()) - before).toBeLessThan(FLAT_MB);
  }, 60_000);
});
