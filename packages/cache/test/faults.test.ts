import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import { ServiceUnavailableError } from '@signalbox/errors';
import express, { type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { CacheKey } from '../src/cache-key.js';
import { Engine } from '../src/engine.js';
import { cache, type Cache } from '../src/index.js';
import { resolveOptions } from '../src/options.js';
import { clock, counting, fields, get, serving } from './support.js';

/** All that the server sends to one request, until it closes. */
async function bytesOf(url: string): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('error', () => undefined);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  return text;
}

/** The first answer is made by this handler, those behind it are good. */
function firstBy(faulty: RequestHandler): { route: Cache; handlers: RequestHandler[] } {
  // Longer than a test may take: whoever has to be let go is not let go by that.
  const route = cache({ ttlMs: 60_000, waitMs: 60_000 });
  const handler = counting((req, res, next) => {
    if (handler.calls() > 1) return next();
    return faulty(req, res, next);
  });
  return { route, handlers: [route, handler] };
}

function brokenStream(): Readable {
  return Readable.from(
    (async function* () {
      yield 'half of ';
      await Promise.resolve();
      throw new Error('the source is gone');
    })(),
  );
}

describe('an answer that is not whole', () => {
  const faults: [string, RequestHandler][] = [
    [
      'is cut off, of a known length',
      (_req, res) => void res.writeHead(200, { 'content-length': 99 }).write('half', () => res.destroy()),
    ],
    ['is cut off in chunks', (_req, res) => void res.write('half', () => res.destroy())],
    ['is cut off before its first byte', (_req, res) => void res.destroy()],
    [
      'ends before the length it stated',
      (_req, res) => void res.writeHead(200, { 'content-length': 99 }).end('half'),
    ],
    [
      'goes on behind the length it stated',
      (_req, res) => void res.writeHead(200, { 'content-length': 4 }).end('four and more'),
    ],
    [
      'goes on behind its length, in pieces',
      (_req, res) => {
        res.writeHead(200, { 'content-length': 4 }).write('four');
        res.end(' and more');
      },
    ],
    [
      'comes from a stream that breaks',
      async (_req, res, next) => {
        try {
          await pipeline(brokenStream(), res);
        } catch (error) {
          next(error);
        }
      },
    ],
    [
      'ends in an error of the handler',
      (_req, res, next) => {
        res.write('half');
        next(new Error('the rest cannot be had'));
      },
    ],
    [
      'ends in an exception',
      (_req, res) => {
        res.write('half');
        throw new Error('the rest cannot be had');
      },
    ],
  ];

  it.each(faults)('is not kept where it %s', async (_what, faulty) => {
    const { route, handlers } = firstBy(faulty);
    const silent: RequestHandler = (_req, res, next) => {
      // As a request logger does that reports errors itself: the error handler then prints none.
      Object.assign(res, { err: undefined });
      next();
    };
    const url = await serving(silent, ...handlers);
    await bytesOf(url);
    expect((await get(url)).text).toBe('answer 2');
    expect((await get(url)).text).toBe('answer 2');
    expect(route.report().stored).toBe(1);
  });

  /** Goes on for as long as somebody is there. */
  const inParts: RequestHandler = async (_req, res) => {
    res.set('etag', '"v1"');
    for (let part = 1; part <= 4 && !res.destroyed; part += 1) {
      res.write(`part ${part} `);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    res.end();
  };

  it.each<[string, RequestHandler]>([
    ['what it writes is none of text or bytes', (req, res) => void res.write(req.app.locals['nothing'])],
    [
      'its reason has a character that none may have',
      (_req, res) => void res.writeHead(200, 'caf\u2615', { 'content-type': 'text/html' }).end('half'),
    ],
    [
      'what it has written is still held back above',
      (_req, res) => {
        res.write('half');
        throw new Error('the other half is gone');
      },
    ],
  ])('is an error, and no answer for others, where %s', async (_what, faulty) => {
    const { route, handlers } = firstBy(faulty);
    const holding: RequestHandler = (_req, res, next) => {
      // As a session does until it is saved; and the request is logged elsewhere.
      const held: unknown[][] = [];
      const [write, end] = [res.write.bind(res), res.end.bind(res)];
      Object.assign(res, {
        err: undefined,
        write: (...args: unknown[]) => {
          if (typeof args[0] !== 'string') return Reflect.apply(write, res, args) as boolean;
          return held.push(args) > 0;
        },
        end: (...args: unknown[]) => {
          for (const each of held) Reflect.apply(write, res, each);
          return Reflect.apply(end, res, args) as typeof res;
        },
      });
      next();
    };
    const url = await serving(holding, ...handlers);
    await bytesOf(url);
    expect(route.report()).toMatchObject({ stored: 0, entries: 0 });
    expect(await get(url)).toMatchObject({ status: 200, text: 'answer 2' });
  });

  it('is not kept where its handler stops since the client has gone', async () => {
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route, inParts);
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    await eventually(() => route.report().refused.incomplete === 1);
    expect((await get(url)).text).toBe('part 1 part 2 part 3 part 4 ');
  });

  it.each([{}, { 'content-length': '28' }])(
    'is made whole, and kept, also for a client that has it already: %j',
    async (stated) => {
      const route = cache({ ttlMs: 60_000 });
      const url = await serving(route, fields(stated), inParts);
      const { status, text, headers } = await get(url, { 'if-none-match': '"v1"' });
      expect([status, text, headers.etag]).toEqual([304, '', '"v1"']);
      expect(headers['cache-status']).toBe('signalbox; fwd=uri-miss; stored');
      const kept = await get(url);
      expect(kept.text).toBe('part 1 part 2 part 3 part 4 ');
      expect(kept.headers['cache-status']).toContain('hit');
    },
  );

  it.each<[string, RequestHandler]>([
    [
      'breaks off, and an error is answered',
      (_req, res) => {
        res.set('etag', '"v1"').write('half');
        throw new Error('the other half is gone');
      },
    ],
    [
      'is longer than any that is kept',
      async (_req, res) => {
        res.set('etag', '"v1"');
        for (let part = 0; part < 40 && !res.destroyed; part += 1) {
          res.write('x'.repeat(50_000));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        res.end();
      },
    ],
  ])('is not kept, and not sent to a client that has it already, where it %s', async (_what, handler) => {
    const silent: RequestHandler = (_req, res, next) => {
      Object.assign(res, { err: undefined });
      next();
    };
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(silent, route, handler);
    const { status, text, headers } = await get(url, { 'if-none-match': '"v1"' });
    expect([status, text, headers.etag, headers['content-type']]).toEqual([304, '', '"v1"', undefined]);
    expect(route.report()).toMatchObject({ stored: 0, entries: 0 });
  });

  it.each(faults.slice(0, 3))('leaves nobody waiting where it %s', async (_what, faulty) => {
    const failures: (() => void)[] = [];
    const { handlers } = firstBy((req, res, next) => void failures.push(() => void faulty(req, res, next)));
    let arrived = 0;
    const counted: RequestHandler = (_req, _res, next) => {
      next();
      arrived += 1;
    };
    const url = await serving(counted, ...handlers);
    const first = bytesOf(url);
    await eventually(() => failures.length === 1);
    const others = Promise.all([get(url), get(url), get(url)]);
    await eventually(() => arrived === 4);
    failures[0]?.();
    await first;
    expect((await others).map(({ text }) => text)).toEqual(['answer 2', 'answer 2', 'answer 2']);
  });
});

describe('an answer that is too long', () => {
  it('goes to who asked for it, and lets the others go as soon as that is seen', async () => {
    let end = (): void => undefined;
    const handler = counting((_req, res, next) => {
      if (handler.calls() > 1) return next();
      res.write('x'.repeat(600));
      res.write('x'.repeat(600));
      end = () => void res.end('!');
    });
    const url = await serving(cache({ ttlMs: 60_000, maxBodyBytes: 1_000, waitMs: 60_000 }), handler);
    const first = get(url);
    await eventually(() => handler.calls() === 1);
    expect((await get(url)).text).toBe('answer 2');
    end();
    expect((await first).text).toHaveLength(1_201);
  });

  it('is not held in memory, however long it is', async () => {
    const megabyte = Buffer.alloc(1_048_576);
    const route = cache({ ttlMs: 60_000, maxBodyBytes: 1_000_000 });
    const url = await serving(route, async (_req, res) => {
      await pipeline(Readable.from(Array.from({ length: 64 }, () => megabyte)), res);
    });
    const answer = await fetch(url);
    let bytes = 0;
    for await (const chunk of answer.body ?? []) bytes += (chunk as Uint8Array).length;
    expect(bytes).toBe(64 * 1_048_576);
    expect(route.report()).toMatchObject({ stored: 0, entries: 0, bytes: 0, refused: { 'too-large': 1 } });
  });
});

describe('an answer that is still written when something else was sent in its place', () => {
  const known = { 'if-none-match': '"1"' };
  const places = [
    ['304, since it is too long to be kept', {}, 200, {}, known, 304],
    [
      '304, since it is for one alone',
      { maxBodyBytes: 1e6 },
      200,
      { 'cache-control': 'private' },
      known,
      304,
    ],
    ['an older one, since it is an error', { maxBodyBytes: 1e6 }, 503, {}, {}, 200],
  ] as const;

  /** The first answer is kept, and those behind it are written in pieces, until they fail. */
  function piecemeal(status: number, values: Record<string, string>): RequestHandler {
    let calls = 0;
    return async (_req, res) => {
      calls += 1;
      res.set('etag', '"1"');
      if (calls === 1) return void res.end('page');
      res.status(status).set(values).write('x'.repeat(1_000));
      await pause(10);
      res.write('x'.repeat(1_000));
      await pause(30);
      throw new ServiceUnavailableError('the source is gone');
    };
  }

  it.each(places)('breaks no connection: %s', async (_what, options, status, values, headers, expected) => {
    const { now, pass } = clock();
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, maxBodyBytes: 1_500, ...options });
    // Without an error handler Express itself destroys the connection of an answer that has begun.
    const app = express().set('env', 'test');
    app.get('/page', route, piecemeal(status, values));
    app.get('/next', (_req, res) => void setTimeout(() => res.end('next'), 100));
    const url = await listen(app);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    await send(`${url}/page`, { agent });
    pass(11);
    expect((await send(`${url}/page`, { agent, headers })).status).toBe(expected);
    expect((await send(`${url}/next`, { agent })).text).toBe('next');
  });

  it.each(places)('changes nothing of that, where it is held back above: %s', async (...args) => {
    const [, options, status, values, headers, expected] = args;
    const held: RequestHandler = (_req, res, next) => {
      const end = res.end.bind(res);
      Reflect.set(res, 'end', (...parts: unknown[]) => {
        setTimeout(() => Reflect.apply(end, res, parts), 80);
        return res;
      });
      next();
    };
    const { now, pass } = clock();
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, maxBodyBytes: 1_500, ...options });
    const url = await serving(held, route, piecemeal(status, values));
    await get(url);
    pass(11);
    const answer = await get(url, headers);
    expect([answer.status, answer.headers['content-type']]).toEqual([expected, undefined]);
  });
});

describe('an answer to a question that was not asked', () => {
  it.each([
    ['304 without a condition', 304, {}],
    ['304 that states a lifetime', 304, { 'cache-control': 'public, max-age=60', etag: '"a"' }],
    ['206 without a range', 206, { 'cache-control': 'public, max-age=60', 'content-range': 'bytes 0-1/8' }],
    ['416 without a range', 416, { 'content-range': 'bytes */8' }],
    ['412 without a condition', 412, {}],
    ['429 that states a lifetime (RFC 6585 section 4)', 429, { 'cache-control': 'public, max-age=60' }],
    ['431 that states a lifetime (RFC 6585 section 5)', 431, { 'cache-control': 'public, max-age=60' }],
    ['428 that states a lifetime (RFC 6585 section 3)', 428, { 'cache-control': 'public, max-age=60' }],
  ])('is not kept: %s', async (_what, status, stated) => {
    const { route, handlers } = firstBy((_req, res) => void res.status(status).set(stated).end());
    const url = await serving(...handlers);
    expect((await get(url)).status).toBe(status);
    expect((await get(url)).text).toBe('answer 2');
    expect(route.report().stored).toBe(1);
  });

  it('a 304 about another answer renews nothing (RFC 9111 section 4.3.4)', async () => {
    const { now, pass } = clock();
    const handler = counting((req, res, next) => {
      res.set({ 'cache-control': 'max-age=10', etag: `"${handler.calls()}"` });
      if (req.headers['if-none-match'] !== undefined) res.status(304).end();
      else next();
    });
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    const answer = await get(url);
    expect([answer.text, answer.headers.etag]).toEqual(['answer 1', '"1"']);
    const next = await get(url);
    expect([next.text, next.headers.etag]).toEqual(['answer 3', '"3"']);
  });
});

describe('fields without end', () => {
  it('are kept with what they cost, so that memory stays bounded', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 1_000 }, (_each, index) => [`x-${index}`, 'y'.repeat(50)]),
    );
    const route = cache({ ttlMs: 60_000 });
    const url = await serving(route, counting(fields(many)));
    await fetch(url).catch(() => undefined);
    await eventually(() => route.report().stored === 1);
    expect(route.report().bytes).toBeGreaterThan(50_000);
  });
});

describe('URLs whose answers are not kept', () => {
  it('are not remembered without bound, however long they are', () => {
    const engine = new Engine(resolveOptions('cache', {}));
    const keys = Array.from(
      { length: 1_000 },
      (_, each) => new CacheKey('x'.repeat(15_000) + String(each), '/'),
    );
    for (const key of keys) engine.noteNotKept(key, 'private', undefined);
    const remembered = keys.filter((key) => engine.isNotKept(key));
    expect(remembered.length).toBeGreaterThan(0);
    expect(remembered.length * 15_000).toBeLessThan(5_000_000);
  });
});

describe('a function for tags that fails', () => {
  it.each<[string, RequestHandler]>([
    ['at once', (_req, res) => void res.end('whole answer')],
    ['in parts', (_req, res) => void Readable.from(['whole ', 'answer']).pipe(res)],
  ])('leaves an answer that comes %s as it is, which is not kept', async (_how, handler) => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    onTestFinished(() => void process.off('warning', hear));
    const tags = (): string[] => {
      throw new Error('there is no product');
    };
    const route = cache({ ttlMs: 60_000, tags });
    const url = await serving(route, handler);
    for (let times = 0; times < 2; times += 1) expect((await get(url)).text).toBe('whole answer');
    expect(route.report()).toMatchObject({ stored: 0, refused: { tags: 2 } });
    await eventually(() => warnings.length > 0);
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('there is no product')]);
  });
});
