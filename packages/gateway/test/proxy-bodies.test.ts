import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { listen } from '@signalbox/testing';
import express, { type NextFunction, type Request, type Response } from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proxied, rawConnection, rawExchange } from './proxy-support.js';
import { goodServer, rawServer, until, upstreamServer } from './upstream-server.js';

const LARGE = 'x'.repeat(300_000);

async function bodyOf(message: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of message) text += chunk.toString();
  return text;
}

/** Puts a stream before a response. Its client gets all of it, at its own pace. */
function throughStream(_req: Request, res: Response, next: NextFunction): void {
  const [write, end, on] = [res.write.bind(res), res.end.bind(res), res.on.bind(res)];
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => void (write(chunk) || stream.pause())).on('end', () => end());
  on('drain', () => stream.resume());
  Object.assign(res, {
    write: (chunk: Buffer) => stream.write(chunk),
    end: (chunk?: Buffer) => void (chunk === undefined ? stream.end() : stream.end(chunk)),
    on: (event: string, listener: () => void) =>
      event === 'drain' ? void stream.on(event, listener) : on(event, listener),
  });
  next();
}

/** Keeps what is written until it is told otherwise, as compression does. */
function keepingUntilFlushed(_req: Request, res: Response, next: NextFunction): void {
  const [write, end] = [res.write.bind(res), res.end.bind(res)];
  let kept: Buffer[] = [];
  const flush = (): void => {
    for (const chunk of kept) write(chunk);
    kept = [];
  };
  Object.assign(res, {
    write: (chunk: Buffer) => kept.push(chunk) > 0,
    end(chunk?: Buffer) {
      flush();
      end(chunk);
    },
    flush,
  });
  next();
}

/** Answers with what it gets, as it gets it. */
async function echoServer(): Promise<string> {
  return listen((req, res) => void req.on('error', () => undefined).pipe(res));
}

describe('bodies on their way through a proxy', () => {
  it.each(['small', LARGE])('passes a body on with its length', async (body) => {
    const upstream = await goodServer();
    await fetch(await proxied({ to: upstream.url }), { method: 'POST', body });

    expect(upstream.seen[0]?.body).toBe(body);
    expect(upstream.seen[0]?.headers['content-length']).toBe(String(body.length));
  });

  it('passes a body of unknown length on in chunks, while it comes', async () => {
    const req = request(await proxied({ to: await echoServer() }), { method: 'POST' });
    req.write('one ');
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    const [first] = (await once(answer, 'data')) as [Buffer];
    expect(first.toString()).toBe('one ');
    req.end('two');

    expect(await bodyOf(answer)).toBe('two');
  });

  it('passes on a GET that has a body', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });
    const req = request(url, { method: 'GET', headers: { 'content-length': 4 } }).end('body');
    await once(req, 'response');

    expect(upstream.seen).toMatchObject([{ method: 'GET', body: 'body' }]);
  });

  it('waits for no body where there is none', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url });
    await fetch(url, { method: 'POST' });
    await fetch(url, { method: 'DELETE' });

    expect(upstream.seen.map(({ body }) => body)).toEqual(['', '']);
    expect(upstream.seen[0]?.headers['content-length']).toBe('0');
  });

  it('lets a client that asks first go on', async () => {
    const upstream = await goodServer();
    const headers = { expect: '100-continue', 'content-length': 4 };
    const req = request(await proxied({ to: upstream.url }), { method: 'POST', headers });
    req.flushHeaders();
    await once(req, 'continue');
    req.end('body');
    await once(req, 'response');

    expect(upstream.seen[0]?.body).toBe('body');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('expect');
  });

  it.each([
    ['application/json', '{"a":[1,{"b":null}]}'],
    ['application/merge-patch+json', '{"a":1}'],
    ['application/x-www-form-urlencoded', 'a=1&b=x+y&c%5Bd%5D=e&f=1&f=2'],
    ['application/x-www-form-urlencoded', 'a%5B%5D=one&b%5Bc%5D%5B%5D=one&d%5B0%5D%5Be%5D=f'],
    ['application/x-www-form-urlencoded', 'a%5B%5D=1&a%5B%5D=2&b%5Bc%5D%5B%5D=1&b%5Bc%5D%5B%5D=2&d=%C5%BE+x'],
    ['application/x-www-form-urlencoded', 'a%5B0%5D=1&a%5B1%5D=2&b=x+y'],
    ['text/plain', 'plain ü'],
    ['application/octet-stream', 'bytes'],
    ['text/csv', 'a;b'],
  ])('works after body parsers: %s', async (type, body) => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) => {
      app.use(express.json({ type: ['json', '+json'] }), express.urlencoded({ extended: true }));
      app.use(express.text(), express.raw());
    });
    const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': type } });

    expect(answer.status).toBe(200);
    expect(upstream.seen).toMatchObject([{ body, headers: { 'content-type': type } }]);
    expect(upstream.seen[0]?.headers['content-length']).toBe(String(Buffer.byteLength(body)));
  });

  it('keeps the brackets of a form’s lists where its blanks are written in another way', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) => app.use(express.urlencoded({ extended: true })));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await fetch(url, { method: 'POST', headers, body: 'a%5B%5D=one%20two%20three&a%5B%5D=four' });

    expect(upstream.seen[0]?.body).toBe('a%5B%5D=one+two+three&a%5B%5D=four');
  });

  it.each([{}, { 'transfer-encoding': 'chunked' }])(
    'sends an empty body on as one, after a parser: %j',
    async (headers) => {
      const upstream = await goodServer();
      const url = await proxied({ to: upstream.url }, (app) => app.use(express.json()));
      const type = { 'content-type': 'application/json' };
      const req = request(url, { method: 'POST', headers: { ...type, ...headers } }).end();
      await once(req, 'response');

      expect(upstream.seen).toMatchObject([{ body: '', headers: { ...type, 'content-length': '0' } }]);
    },
  );

  it('sends on what a request without a body calls it, where somebody has read to its end', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => void req.on('end', next).resume()),
    );
    await fetch(url, { headers: { 'content-type': 'application/json' } });

    expect(upstream.seen).toMatchObject([{ body: '', headers: { 'content-type': 'application/json' } }]);
  });

  it('sends on whatever bytes come, in whatever pieces', async () => {
    const url = await proxied({ to: await echoServer() });
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.boolean(), async (chunks, isLengthKnown) => {
        const whole = Buffer.concat(chunks);
        const headers = isLengthKnown
          ? { 'content-length': whole.length }
          : { 'transfer-encoding': 'chunked' };
        const req = request(url, { method: 'POST', headers: { ...headers } });
        const answered = once(req, 'response') as Promise<[IncomingMessage]>;
        for (const chunk of chunks) req.write(chunk);
        req.end();
        const [answer] = await answered;
        const received: Buffer[] = [];
        for await (const chunk of answer as AsyncIterable<Buffer>) received.push(chunk);
        expect(Buffer.concat(received).equals(whole)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it.each(['in chunks', 'with a length'])(
    'passes all of a body on that a middleware listens to, %s',
    async (how) => {
      const upstream = await goodServer();
      let counted = 0;
      const url = await proxied({ to: upstream.url }, (app) =>
        app.use((req, _res, next) => {
          req.on('data', (chunk: Buffer) => void (counted += chunk.length));
          next();
        }),
      );
      const headers = how === 'in chunks' ? {} : { 'content-length': LARGE.length };
      const req = request(url, { method: 'POST', headers });
      for (let sent = 0; sent < LARGE.length; sent += 50_000) req.write(LARGE.slice(sent, sent + 50_000));
      const [answer] = (await once(req.end(), 'response')) as [IncomingMessage];
      answer.resume();

      expect(answer.statusCode).toBe(200);
      expect(upstream.seen[0]?.body).toBe(LARGE);
      expect(counted).toBe(LARGE.length);
    },
  );

  it.each(['small', LARGE])('passes a body on that a middleware has paused', async (body) => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => {
        req.pause();
        setTimeout(next, 10);
      }),
    );
    expect((await fetch(url, { method: 'POST', body })).status).toBe(200);
    expect(upstream.seen[0]?.body).toBe(body);
  });

  it('writes a parsed body anew as what a middleware has called it', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => {
        // As for senders that say text/plain of their JSON.
        req.headers['content-type'] = 'application/json';
        next();
      }, express.json()),
    );
    const answer = await fetch(url, { method: 'POST', body: '{ "a": 1 }' });
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]).toMatchObject({
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
  });

  it('tells of no coding and charset that a body parser has undone', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) => app.use(express.text()));
    const { gzipSync } = await import('node:zlib');
    await fetch(url, {
      method: 'POST',
      body: gzipSync(Buffer.from('größe', 'latin1')),
      headers: { 'content-type': 'text/plain; charset=iso-8859-1', 'content-encoding': 'gzip' },
    });

    expect(upstream.seen[0]?.body).toBe('größe');
    expect(upstream.seen[0]?.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('content-encoding');
  });

  it('says so where somebody has read the body and kept nothing of it', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => void req.on('end', next).resume()),
    );
    const answer = await fetch(url, {
      method: 'POST',
      body: 'gone',
      headers: { 'content-type': 'text/plain' },
    });

    expect(answer.status).toBe(500);
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    ['by its length', {}],
    ['while it comes', { 'transfer-encoding': 'chunked' }],
    ['as a body parser has read it', { 'transfer-encoding': 'chunked', 'content-type': 'text/plain' }],
  ])('refuses a body that is too large, %s', async (_how, headers) => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url, maxRequestBytes: 1_000 }, (app) => app.use(express.text()));
    const req = request(url, { method: 'POST', headers: { ...headers } }).end('x'.repeat(2_000));
    const [answer] = (await once(req, 'response')) as [IncomingMessage];

    expect(answer.statusCode).toBe(413);
    expect(upstream.seen).toEqual([]);
  });

  it('passes trailers of an answer on, but for those that are not to be passed on', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.writeHead(200, { trailer: 'X-Sum, Content-Length' });
      res.write('body');
      res.addTrailers({ 'X-Sum': '42', 'X-Other': 'y', 'X-Inner-Host': 'db1', 'Keep-Alive': 'x' });
      res.end();
    });
    const options = { to: upstream.url, stripResponseHeaders: ['x-inner-*'] };
    const req = request(await proxied(options)).end();
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    expect(await bodyOf(answer)).toBe('body');

    expect(answer.headers.trailer).toBe('X-Sum, Content-Length');
    expect(answer.trailers).toEqual({ 'x-sum': '42', 'x-other': 'y' });
  });

  it.each(['\u00e9', '\u00e2\u0082\u00ac', '\u00ff\u0080'])(
    'passes trailers on byte by byte, and ends the answer behind them: %j',
    async (value) => {
      const upstream = await rawServer((socket) =>
        socket.once('data', () =>
          socket.write(
            `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: ${value}\r\n\r\n`,
            'latin1',
          ),
        ),
      );
      const text = await rawExchange(
        await proxied({ to: upstream }),
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      );

      expect(text.endsWith(`\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: ${value}\r\n\r\n`)).toBe(true);
    },
  );

  it('sends events as they come, and the head before the first of them', async () => {
    let send = (_text: string): void => undefined;
    const upstream = await upstreamServer((_req, res) => {
      res.writeHead(200, { 'content-type': 'Text/Event-Stream; charset=utf-8' }).flushHeaders();
      send = (text) => void res.write(text);
    });
    // Event streams may be silent for longer than any other body.
    const req = request(await proxied({ to: upstream.url, idleTimeoutMs: 50 })).end();
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      const arrived = once(answer, 'data');
      send(event);
      expect(String((await arrived)[0])).toBe(event);
    }
    req.destroy();
  });

  it('sends the pieces of an answer without a length as they come, where compression would keep them', async () => {
    let send = (_text: string): void => undefined;
    const upstream = await upstreamServer((_req, res) => {
      send = (text) => void res.write(text);
      send('one');
    });
    const url = await proxied({ to: upstream.url }, (app) => app.use(keepingUntilFlushed));
    const req = request(url).end();
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    const pieces = answer[Symbol.asyncIterator]();
    expect(String((await pieces.next()).value)).toBe('one');
    send('two');
    expect(String((await pieces.next()).value)).toBe('two');
    req.destroy();
  });

  it('goes on behind a middleware whose write does not say whether there is room', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.write('a');
      setTimeout(() => res.write('b'), 10);
      setTimeout(() => res.end(LARGE), 20);
    });
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((_req, res, next) => {
        const write = res.write.bind(res);
        Object.assign(res, { write: (chunk: Buffer) => void write(chunk) });
        next();
      }),
    );
    expect(await (await fetch(url)).text()).toBe(`ab${LARGE}`);
  });

  it('leaves the head to a middleware that keeps the whole body to change it', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.flushHeaders();
      setTimeout(() => res.write('<p>one'), 20);
      setTimeout(() => res.end('two</p>'), 40);
    });
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((_req, res, next) => {
        const [write, end] = [res.write.bind(res), res.end.bind(res)];
        let body = '';
        Object.assign(res, {
          write: (chunk: Buffer) => (body += chunk.toString()) !== '',
          end(chunk: Buffer | string = '') {
            const whole = `${body}${chunk.toString()}<!-- seen -->`;
            Object.assign(res, { write, end }).set('Content-Length', String(whole.length)).end(whole);
          },
        });
        next();
      }),
    );
    expect(await (await fetch(url)).text()).toBe('<p>onetwo</p><!-- seen -->');
  });

  it('answers a client of HTTP/1.0 without chunks', async () => {
    const upstream = await upstreamServer((_req, res) => {
      res.write('a');
      res.end('b');
    });
    const socket = await rawConnection(await proxied({ to: upstream.url }));
    const closed = once(socket, 'close');
    socket.write('GET / HTTP/1.0\r\n\r\n');
    await closed;

    expect(socket.text()).toMatch(/\r\n\r\nab$/);
    expect(socket.text()).not.toMatch(/transfer-encoding/i);
  });

  it.each([
    ['as it comes', (_req: Request, _res: Response, next: NextFunction) => next()],
    ['behind a middleware that passes the body through a stream, as compression does', throughStream],
  ])('reads no faster than the client does, %s', async (_how, middleware) => {
    let sent = 0;
    const upstream = await upstreamServer((_req, res) => {
      const chunk = Buffer.alloc(65_536);
      const send = (): void => {
        while (sent < 50_000_000) {
          sent += chunk.length;
          if (!res.write(chunk)) {
            res.once('drain', send);
            return;
          }
        }
        res.end();
      };
      send();
    });
    const req = request(await proxied({ to: upstream.url }, (app) => app.use(middleware))).end();
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    answer.pause();
    let before = -1;
    await until(() => {
      const isStill = sent === before;
      before = sent;
      return isStill && sent > 0;
    });
    expect(sent).toBeLessThan(30_000_000);

    answer.resume();
    await once(answer, 'end');
    expect(sent).toBeGreaterThanOrEqual(50_000_000);
  });

  it('tells the upstream at once when the client leaves', async () => {
    let leftAt = 0;
    let isGone = false;
    const upstream = await upstreamServer((_req, res) => {
      res.on('close', () => void (isGone = true));
      res.write('first');
    });
    const url = await proxied({ to: upstream.url });
    const req = request(url)
      .end()
      .on('error', () => undefined);
    const [answer] = (await once(req, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    leftAt = performance.now();
    req.destroy();
    await until(() => isGone);

    expect(performance.now() - leftAt).toBeLessThan(1_000);
  });

  it('tells the upstream when the client leaves in the middle of its upload', async () => {
    let ended = '';
    let isUnderWay = false;
    const url = await proxied({
      to: await listen((req) => {
        req.on('error', () => undefined).on('data', () => void (isUnderWay = true));
        req.on('close', () => void (ended = req.complete ? 'whole' : 'cut'));
      }),
    });
    const req = request(url, { method: 'POST', headers: { 'content-length': 1_000_000 } });
    req.on('error', () => undefined).write('x'.repeat(100_000));
    await until(() => isUnderWay);
    req.destroy();
    await until(() => ended !== '');

    expect(ended).toBe('cut');
  });

  it('brings the answer to a client that still sends what nobody wants', async () => {
    const url = await proxied({
      to: await listen((_req, res) => void res.writeHead(413).end('too much')),
    });
    const req = request(url, { method: 'POST', headers: { 'content-length': 400_000 } });
    req.on('error', () => undefined).write('x'.repeat(200_000));
    const [answer] = (await once(req, 'response')) as [IncomingMessage];

    expect(answer.statusCode).toBe(413);
    expect(answer.headers.connection).toBe('close');
    expect(await bodyOf(answer)).toBe('too much');
    req.destroy();
  });

  it('brings the answer of an upstream that closes before it has the body, and holds nothing against it', async () => {
    const url = await proxied({
      to: await listen((_req, res) => void res.writeHead(413, { connection: 'close' }).end('too much')),
    });
    for (let times = 0; times < 8; times += 1) {
      const req = request(url, { method: 'POST' }).on('error', () => undefined);
      req.end(Buffer.alloc(8_000_000));
      const [answer] = (await once(req, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(413);
      req.destroy();
    }
  });

  it('holds nothing against an upstream where a middleware sends the client away in the middle of its body', async () => {
    const upstream = await goodServer();
    const url = await proxied({ to: upstream.url }, (app) =>
      app.use((req, _res, next) => {
        let bytes = 0;
        req.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > 1_000_000) req.destroy();
        });
        next();
      }),
    );
    for (let times = 0; times < 8; times += 1) {
      const req = request(url, { method: 'POST' });
      req.end(Buffer.alloc(3_000_000));
      await once(req, 'error');
    }
    expect((await fetch(url)).status).toBe(200);
  });
});
