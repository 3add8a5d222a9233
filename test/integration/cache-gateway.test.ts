import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { cache } from '@signalbox/cache';
import { errorHandler } from '@signalbox/errors';
import { proxy, type ProxyOptions } from '@signalbox/gateway';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { send } from '../support/send.js';
import { edgeOf, HEAD, originOf, outcomeOf, whole } from './cache-edge.js';

function clock(): { now: () => number; pass: (seconds: number) => void } {
  let ms = Date.now();
  return { now: () => ms, pass: (seconds) => (ms += seconds * 1_000) };
}

const LIMITS = { timeoutMs: 300, idleTimeoutMs: 300, maxHeaderBytes: 16_384 } satisfies Partial<ProxyOptions>;

/** Sends bytes and ends, or stays; or does something to the connection. */
type Lie = string | ((socket: Socket) => void);

function tell(socket: Socket, lie: Lie): void {
  if (typeof lie === 'function') lie(socket);
  else socket.end(lie, 'latin1');
}

const LIES_IN_THE_HEAD: [string, Lie][] = [
  ['is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['closes without a word', ''],
  ['closes in its header section', `${HEAD}Content-Le`],
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['says nothing', () => undefined],
  ['sends a header section that drips', (socket) => drip(socket, HEAD, 'X')],
  ['sends a header section without end', (socket) => flood(socket, HEAD, `X-Y: ${'z'.repeat(1_000)}\r\n`)],
  ['sends ten thousand header fields', `${HEAD}${'A: b\r\n'.repeat(10_000)}\r\n`],
  ['sends one field of 100 KB', `${HEAD}A: ${'b'.repeat(100_000)}\r\nContent-Length: 0\r\n\r\n`],
  ['states two lengths', `${HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\nevil`],
  [
    'states a length and chunks',
    `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n`,
  ],
  ['states a length that is none', `${HEAD}Content-Length: 4x\r\n\r\nevil`],
  ['uses a coding nobody asked for', `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n`],
  [
    'announces without end',
    (socket) => flood(socket, '', 'HTTP/1.1 103 Early Hints\r\nLink: </evil>\r\n\r\n'),
  ],
  [
    'has a field that goes on in the next line',
    `${HEAD}A: b\r\n\tevil\0: c\r\nContent-Length: 4\r\n\r\nevil`,
  ],
];

const LIES_IN_THE_BODY: [string, Lie][] = [
  ['sends less than it stated', `${HEAD}Content-Length: 100\r\n\r\nevil`],
  [
    'resets the connection in the body',
    (socket) => socket.write(`${HEAD}Content-Length: 100\r\n\r\nevil`, () => socket.resetAndDestroy()),
  ],
  [
    'resets the connection in the chunks',
    (socket) =>
      socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n`, () => socket.resetAndDestroy()),
  ],
  ['has a chunk size that is none', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\nZZ\r\n`],
  ['has a negative chunk size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n-1\r\n`],
  ['has a chunk longer than it says', `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nevil\r\n0\r\n\r\n`],
  ['has a chunk shorter than it says', `${HEAD}Transfer-Encoding: chunked\r\n\r\n9\r\nevil\r\n0\r\n\r\n`],
  ['has a chunk size of 20 digits', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${'F'.repeat(20)}\r\nevil`],
  ['stops between chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n`],
  ['stops before the last chunk’s end', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n`],
  ['stands still', (socket) => void socket.write(`${HEAD}Content-Length: 100\r\n\r\nevil`)],
  ['drips', (socket) => drip(socket, `${HEAD}Content-Length: 100000\r\n\r\nevil`, 'x')],
];

function drip(socket: Socket, first: string, each: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(each), 150);
  socket.on('close', () => clearInterval(timer));
}

/** As much as the other side takes, and no more than 10 MB. */
function flood(socket: Socket, first: string, each: string): void {
  socket.write(first);
  const block = each.repeat(Math.ceil(100_000 / each.length));
  for (let sent = 0; sent < 10_000_000 && !socket.destroyed; sent += block.length) socket.write(block);
}

describe('behind the cache, an origin that', () => {
  it.each([...LIES_IN_THE_HEAD, ...LIES_IN_THE_BODY])(
    '%s: fails in time, and nothing of it is kept',
    async (_what, lie) => {
      const origin = await originOf((socket, _request, count) => {
        if (count === 1) tell(socket, lie);
        else socket.write(whole('good'));
      });
      const { url, route } = await edgeOf(origin, {}, LIMITS);

      const startedAt = performance.now();
      const outcome = await outcomeOf(url);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      if (outcome !== 'cut') {
        expect([502, 504]).toContain(outcome.status);
        expect(JSON.stringify(outcome)).not.toContain('evil');
      }
      expect(route.report()).toMatchObject({ stored: 0, entries: 0 });

      for (const status of ['fwd=uri-miss; stored', 'hit']) {
        const answer = await send(url);
        expect([answer.status, answer.text]).toEqual([200, 'good']);
        expect(answer.headers['cache-status']).toContain(status);
      }
    },
  );

  it.each(['GET', 'HEAD', 'POST'])(
    'tells of a cache of its own is passed on, before what ours did: %s',
    async (method) => {
      const origin = await originOf((socket, request) =>
        socket.write(whole(request.startsWith('HEAD') ? '' : 'good', 'Cache-Status: Origin; hit\r\n')),
      );
      const { url } = await edgeOf(origin);
      const { headers } = await send(url, { method });
      expect(headers['cache-status']).toMatch(/^Origin; hit, signalbox; fwd=/);
    },
  );

  it.each(LIES_IN_THE_HEAD)('%s: what there is is sent in its place', async (_what, lie) => {
    const { now, pass } = clock();
    const origin = await originOf((socket, _request, count) => {
      if (count === 2) tell(socket, lie);
      else socket.write(whole(count === 1 ? 'old' : 'new'));
    });
    const { url } = await edgeOf(origin, { now }, LIMITS);
    await send(url);
    pass(61);
    const stale = await send(url);
    expect([stale.status, stale.text]).toEqual([200, 'old']);
    expect(stale.headers['cache-status']).toMatch(/^signalbox; fwd=stale; fwd-status=50[24]$/);
    expect((await send(url)).text).toBe('new');
  });

  it.each(LIES_IN_THE_BODY)('%s: what there was stays as it was', async (_what, lie) => {
    const { now, pass } = clock();
    const origin = await originOf((socket, _request, count) => {
      if (count === 1) socket.write(whole('old'));
      else if (count === 2) tell(socket, lie);
      else socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    });
    const { url } = await edgeOf(origin, { now }, LIMITS);
    await send(url);
    pass(61);
    const outcome = await outcomeOf(url);
    // Some are seen before anything was passed on.
    if (outcome !== 'cut') expect(outcome.text).toBe('old');
    const stale = await send(url);
    expect([stale.status, stale.text]).toEqual([200, 'old']);
  });

  it.each([
    ['resets the connection in the body', LIES_IN_THE_BODY[1]?.[1] ?? ''],
    ['says nothing', LIES_IN_THE_HEAD[4]?.[1] ?? ''],
    ['stands still', LIES_IN_THE_BODY[10]?.[1] ?? ''],
  ])('%s: those who wait for the same go on', async (_what, lie) => {
    const origin = await originOf((socket, _request, count) => {
      if (count === 1) tell(socket, lie);
      else socket.write(whole('good'));
    });
    const { url, route } = await edgeOf(origin, { waitMs: 60_000 }, LIMITS);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(url)));
    const failed = outcomes.filter((each) => each === 'cut' || each.status !== 200);
    expect(failed).toHaveLength(1);
    expect(outcomes.filter((each) => each !== 'cut' && each.text === 'good')).toHaveLength(19);
    expect(origin.requests).toHaveLength(2);
    expect(route.report().stored).toBe(1);
  });

  it.each([
    ['a 503 that breaks off', 'HTTP/1.1 503 Unavailable\r\nContent-Length: 100\r\n\r\n'],
    [
      'a 503 that is no HTTP behind its head',
      'HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
    ],
    ['a 503 that breaks off in its body', 'HTTP/1.1 503 Unavailable\r\nContent-Length: 100\r\n\r\nhalf'],
    [
      'a 304 that states a length (RFC 9110 section 8.6)',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n',
    ],
  ])('answers %s: the client gets what there is, on a connection that stays good', async (_what, lie) => {
    const { now, pass } = clock();
    const origin = await originOf((socket, _request, count) => {
      if (count === 1) socket.write(whole('old', 'ETag: "a"\r\n'));
      else socket.end(lie);
    });
    const { url } = await edgeOf(origin, { now }, LIMITS);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    await send(url, { agent });
    const [connection] = Object.values(agent.freeSockets).flat();
    for (let times = 0; times < 3; times += 1) {
      pass(61);
      expect((await send(url, { agent })).text).toBe('old');
      // What the proxy does about the connection it does in this turn or the next.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(origin.requests).toHaveLength(4);
    expect(Object.values(agent.freeSockets).flat()).toEqual([connection]);
  });

  it('sends more than it stated: what is left over is nobody’s answer', async () => {
    const smuggled = whole('evil');
    const origin = await originOf((socket, _request, count) => {
      socket.write(count === 1 ? whole('page') + smuggled : whole(`good ${count}`));
    });
    const { url } = await edgeOf(origin);
    expect((await send(url, { path: '/page' })).text).toBe('page');
    for (const path of ['/a', '/b', '/c', '/a', '/b', '/c']) {
      const outcome = await outcomeOf(url, path);
      // Whoever comes next may find the connection broken, but no answer that is not for him.
      if (outcome !== 'cut' && outcome.status === 200) expect(outcome.text).toMatch(/^good \d$/);
    }
    expect((await send(url, { path: '/page' })).text).toBe('page');
  });

  it('answers before it was asked: that is nobody’s answer', async () => {
    const origin = await originOf((socket, _request, count) => {
      socket.write(whole(`good ${count}`), () => {
        if (count === 1) setTimeout(() => socket.write(whole('evil')), 20);
      });
    });
    const { url } = await edgeOf(origin);
    expect((await send(url, { path: '/first' })).text).toBe('good 1');
    await new Promise((resolve) => setTimeout(resolve, 60));
    for (const path of ['/a', '/b']) {
      const outcome = await outcomeOf(url, path);
      if (outcome !== 'cut' && outcome.status === 200) expect(outcome.text).toMatch(/^good \d$/);
    }
  });

  it('answers 304 or 206, which nobody asked for: that is kept for nobody', async () => {
    for (const line of ['304 Not Modified', '206 Partial Content']) {
      const origin = await originOf((socket, _request, count) => {
        const body = line.startsWith('206') ? 'Content-Length: 4\r\n\r\nevil' : '\r\n';
        const lie = `HTTP/1.1 ${line}\r\nCache-Control: public, max-age=60\r\nETag: "a"\r\n${body}`;
        socket.write(count === 1 ? lie : whole('good'));
      });
      const { url } = await edgeOf(origin);
      await send(url);
      expect((await send(url)).text).toBe('good');
    }
  });
});

describe('behind the cache, an answer that is too much', () => {
  it('is passed on and not kept, be it stated or not', async () => {
    const body = 'x'.repeat(3_000_000);
    for (const length of [`Content-Length: ${body.length}\r\n\r\n`, '\r\n']) {
      const origin = await originOf((socket) => socket.end(`${HEAD}Connection: close\r\n${length}${body}`));
      const { url, route } = await edgeOf(origin);
      for (let times = 0; times < 2; times += 1) expect((await send(url)).text).toHaveLength(body.length);
      expect(route.report()).toMatchObject({ stored: 0, bytes: 0, refused: { 'too-large': 2 } });
    }
  });

  it('is cut off where the proxy has a limit, and not kept', async () => {
    const origin = await originOf((socket) => flood(socket, `${HEAD}Connection: close\r\n\r\n`, 'evil'));
    const { url, route } = await edgeOf(origin, {}, { maxResponseBytes: 500_000 });
    const outcome = await outcomeOf(url);
    if (outcome !== 'cut') expect(outcome.status).toBe(502);
    expect(route.report()).toMatchObject({ stored: 0, bytes: 0 });
  });

  it('a gzip bomb is kept as the few bytes that came, and nobody here unpacks it', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000), { level: 9 });
    const origin = await originOf((socket) => {
      socket.write(
        `${HEAD}Content-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: ${bomb.length}\r\n\r\n`,
      );
      socket.write(bomb);
    });
    const { url, route } = await edgeOf(origin);
    const before = process.memoryUsage().arrayBuffers;
    for (let times = 0; times < 5; times += 1) {
      const { headers } = await send(url, { headers: { 'accept-encoding': 'gzip' } });
      expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'content-length': String(bomb.length) });
    }
    expect(origin.requests).toHaveLength(1);
    expect(route.report().bytes).toBeLessThan(2 * bomb.length + 5_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });
});

describe('an older answer that is sent since the upstream takes long', () => {
  it('arrives whole, also where the new one comes while it is being sent', async () => {
    const { now, pass } = clock();
    const page = 'x'.repeat(2_000_000);
    const origin = createServer((_req, res) => {
      const isFirst = !hasAnswered;
      hasAnswered = true;
      if (isFirst) res.setHeader('cache-control', 'max-age=10, stale-if-error=60');
      setTimeout(() => {
        res.write(isFirst ? page : 'new');
        res.end();
      }, 40);
    });
    let hasAnswered = false;
    const forward = proxy({ to: await listen(origin), retries: 0 });
    onTestFinished(() => void forward.close());
    // As what compresses does.
    const inPieces: RequestHandler = (_req, res, next) => {
      const [write, end, on] = [res.write.bind(res), res.end.bind(res), res.on.bind(res)];
      res.end = (chunk?: unknown) => {
        const pieces = Readable.from((chunk as Buffer | undefined)?.toString().match(/[^]{1,50000}/g) ?? []);
        pieces.on('data', (piece: string) => {
          pieces.pause();
          write(piece);
        });
        pieces.on('end', () => end());
        on('drain', () => setTimeout(() => pieces.resume(), 3));
        return res.writeHead(res.statusCode);
      };
      next();
    };
    const route = cache({ now, softTimeoutMs: 20, maxBodyBytes: 10_000_000 });
    const url = await listen(express().use(inPieces, route, forward));
    expect((await send(url)).text.length).toBe(page.length);
    pass(11);
    const { text, headers } = await send(url);
    expect(headers['cache-status']).toContain('soft-timeout');
    expect(text.length).toBe(page.length);
  });
});

describe('a WebSocket through cache and proxy', () => {
  it('is opened also where the page of its URL is kept', async () => {
    const origin = await originOf((socket, request) => {
      if (/^upgrade: websocket/im.test(request)) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n');
        socket.write('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n');
      } else socket.write(whole('page'));
    });
    const route = cache();
    const forward = proxy({ to: origin.url });
    const app = express().use(route, forward, errorHandler());
    const server = createServer(app);
    const url = await listen(server);
    forward.attach(server, { path: '/', app });
    onTestFinished(() => {
      route.close();
      return forward.close();
    });
    for (let times = 0; times < 2; times += 1) expect((await send(url)).text).toBe('page');
    const handshake = request(url, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    }).end();
    const [response] = (await Promise.race([once(handshake, 'upgrade'), once(handshake, 'response')])) as [
      IncomingMessage,
    ];
    response.socket.destroy();
    expect(response.statusCode).toBe(101);
  });
});
