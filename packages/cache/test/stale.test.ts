import { requestContext } from '@signalbox/context';
import { ServiceUnavailableError } from '@signalbox/errors';
import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Readable, Transform } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { cache, memoryStore, type CacheOptions, type Claim } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

describe('stale-while-revalidate (RFC 5861 section 3)', () => {
  it.each([
    ['as the answer says', 'max-age=10, stale-while-revalidate=30', {}],
    ['by option', 'max-age=10', { staleWhileRevalidateMs: 30_000 }],
  ])('sends what there is and makes it anew meanwhile, %s', async (_how, control, options) => {
    const { now, pass } = clock();
    const handler = counting(fields({ 'cache-control': control }));
    const route = cache({ now, ...options });
    const url = await serving(route, handler);
    await get(url);
    pass(11);
    const stale = await get(url);
    expect(stale.text).toBe('answer 1');
    expect(stale.headers['cache-status']).toMatch(/^signalbox; hit; ttl=-/);
    await eventually(() => handler.calls() === 2 && route.report().stored === 2);
    expect((await get(url)).text).toBe('answer 2');
    pass(41);
    expect((await get(url)).text).toBe('answer 3');
  });

  it('runs the handlers as a client would, be it a stream, an error or a 304', async () => {
    const { now, pass } = clock();
    let times = 0;
    let closed = 0;
    const streaming: RequestHandler = async (req, res) => {
      times += 1;
      const text = `answer ${times}`;
      res.on('close', () => (closed += 1));
      res.set({ 'cache-control': 'max-age=10, stale-while-revalidate=1000', etag: '"x"' });
      if (times === 2) throw new ServiceUnavailableError('down');
      if (times === 3 && req.headers['if-none-match'] === '"x"') return void res.status(304).end();
      await pipeline(Readable.from(['ans', text.slice(3)]), res);
    };
    const route = cache({ now });
    const url = await serving(route, streaming);
    await get(url);
    for (const [calls, text] of [
      [2, 'answer 1'],
      [3, 'answer 1'],
      [4, 'answer 1'],
      [5, 'answer 4'],
    ] as const) {
      pass(11);
      expect((await get(url)).text).toBe(text);
      await eventually(() => times === calls && closed === calls);
      await pause(5);
    }
    expect((await get(url)).text).toBe('answer 5');
  });

  it('sees who asked, and by which proxy, also when the connection is closed', async () => {
    const { now, pass } = clock();
    const app = express().set('trust proxy', 'loopback');
    const route = cache({ now, ttlMs: 10_000, staleWhileRevalidateMs: 60_000 });
    app.use(route, (req, res) => void res.json([req.ip, req.protocol, req.hostname]));
    const url = await listen(app);
    const forwarded = {
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
    };
    const { text } = await get(url, forwarded);
    expect(text).toBe('["192.0.2.7","https","shop.example"]');
    pass(11);
    await eventually(async () => (await get(url, forwarded)).headers.age === '0');
    expect((await get(url, forwarded)).text).toBe(text);
  });

  it('is one call for many who come meanwhile', async () => {
    const { now, pass } = clock();
    const handler = counting((_req, res, next) => {
      res.set('cache-control', 'max-age=10, stale-while-revalidate=1000');
      setTimeout(next, 20);
    });
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(url)));
    expect(answers[0]?.text).toBe('answer 1');
    await eventually(async () => (await get(url)).text === 'answer 2');
    expect(handler.calls()).toBe(2);
  });

  it('is told to nobody who listened to the response above', async () => {
    const { now, pass } = clock();
    const ends: string[] = [];
    const above: RequestHandler = (_req, res, next) => {
      res.on('finish', () => ends.push(`finish ${res.statusCode}`));
      res.on('close', () => ends.push('close'));
      next();
    };
    const handler = counting(fields({ 'cache-control': 'max-age=10, stale-while-revalidate=1000' }));
    const url = await serving(above, cache({ now }), handler);
    await get(url);
    pass(11);
    await get(url);
    await eventually(() => handler.calls() === 2);
    await pause(20);
    expect(ends).toEqual(['finish 200', 'close', 'finish 200', 'close']);
  });

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache'])(
    'does not hold where the answer says %s',
    async (control) => {
      const { now, pass } = clock();
      const handler = counting(
        fields({ 'cache-control': `max-age=10, stale-while-revalidate=100, stale-if-error=100, ${control}` }),
      );
      const url = await serving(cache({ now, etag: false }), handler);
      await get(url);
      pass(11);
      expect((await get(url)).text).toBe('answer 2');
    },
  );
});

describe('stale-if-error (RFC 5861 section 4)', () => {
  const failing = (): RequestHandler & { calls: () => number } =>
    counting(
      (() => {
        let times = 0;
        return (_req, res, next) => {
          times += 1;
          if (times > 1) return next(new ServiceUnavailableError('down'));
          res.set('cache-control', 'max-age=10, stale-if-error=30');
          next();
        };
      })(),
    );

  it('sends what there is in the place of an error, and nothing of the error', async () => {
    const { now, pass } = clock();
    const handler = failing();
    const url = await serving(cache({ now }), handler);
    await get(url);
    pass(11);
    const stale = await get(url);
    expect(stale).toMatchObject({ status: 200, text: 'answer 1' });
    expect(stale.headers['cache-status']).toBe('signalbox; fwd=stale; fwd-status=503');
    expect(stale.headers['cache-control']).toBe('max-age=10, stale-if-error=30');
    expect(stale.headers['retry-after']).toBeUndefined();
    pass(30);
    expect((await get(url)).status).toBe(503);
  });

  it('lets a handler see that an older answer would be sent, so that it need not do worse', async () => {
    const { now, pass } = clock();
    const seen: boolean[] = [];
    let isWorse = false;
    const route = cache({
      now,
      ttlMs: 10_000,
      jitter: 0,
      staleWhileRevalidateMs: 5_000,
      staleIfErrorMs: 60_000,
    });
    const url = await serving(route, (req, res) => {
      seen.push(route.standsBy(req));
      if (isWorse && route.standsBy(req)) return void res.status(503).end();
      res.send(isWorse ? 'worse' : 'good');
    });
    expect((await get(url)).text).toBe('good');
    isWorse = true;
    pass(12);
    // Sent at once, and tried to make anew when it was sent.
    expect((await get(url)).text).toBe('good');
    await eventually(() => seen.length === 2);
    pass(20);
    expect(await get(url)).toMatchObject({ status: 200, text: 'good' });
    pass(60);
    expect(await get(url)).toMatchObject({ status: 200, text: 'worse' });
    // A HEAD is not answered from what is old: it must not be told to fail.
    pass(12);
    expect((await send(url, { method: 'HEAD' })).status).toBe(200);
    expect(seen).toEqual([false, true, true, false, false]);
  });

  it.each(['max-age=60', 'stale-if-error=60', 'max-age=60, stale-while-revalidate=60'])(
    'does not send what is to be asked for each time: no-cache, %s (RFC 9111 section 5.2.2.4)',
    async (directives) => {
      const { now, pass } = clock();
      let isDown = false;
      const route = cache({ now, ttlMs: 60_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
      const url = await serving(route, async (req, res) => {
        if (isDown) await pause(50);
        if (isDown) return void res.status(503).end(`stands by: ${route.standsBy(req)}`);
        res.set({ 'cache-control': `no-cache, ${directives}`, etag: '"1"' }).end('fine');
      });
      await get(url);
      isDown = true;
      pass(5);
      expect(await get(url)).toMatchObject({ status: 503, text: 'stands by: false' });
    },
  );

  it('holds by option, for HEAD as it is answered', async () => {
    const { now, pass } = clock();
    let isDown = false;
    const handler: RequestHandler = (_req, res) => void res.status(isDown ? 500 : 200).end('fine');
    const url = await serving(cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000 }), handler);
    await get(url);
    isDown = true;
    pass(11);
    expect(await get(url)).toMatchObject({ status: 200, text: 'fine' });
    expect((await send(url, { method: 'HEAD' })).status).toBe(500);
  });
});

describe('an older answer', () => {
  const newer = [
    ['that there is nothing any more', 404, {}],
    ['that not everybody may have it', 403, {}],
    ['that it is for one alone', 200, { 'cache-control': 'private' }],
    ['that it is not to be kept', 200, { 'cache-control': 'no-store' }],
  ] as const;

  type Said = readonly [status: number, values: Readonly<Record<string, string>>];

  /** Says one thing after another of itself, and the last one for ever. */
  function saying(...all: readonly Said[]): ReturnType<typeof counting> {
    const handler = counting((_req, res, next) => {
      const [status, values] = all[Math.min(handler.calls(), all.length) - 1] ?? [200, {}];
      res.status(status).set(values);
      next();
    });
    return handler;
  }

  const kept: Said = [200, { 'cache-control': 'public, max-age=10' }];

  it.each(newer)('is not sent in the place of a newer one that said %s', async (_what, status, values) => {
    const { now, pass } = clock();
    const handler = saying(kept, [status, values]);
    const url = await serving(cache({ now, staleWhileRevalidateMs: 60_000 }), handler);
    await get(url);
    pass(11);
    expect((await get(url)).text).toBe('answer 1');
    await eventually(() => handler.calls() === 2);
    expect(await get(url)).toMatchObject({ status, text: 'answer 3' });
  });

  it.each(newer)(
    'is not sent in the place of an error after a newer one said %s',
    async (_what, status, values) => {
      const { now, pass } = clock();
      const handler = saying(kept, [status, values], [503, {}]);
      const url = await serving(cache({ now, staleIfErrorMs: 60_000 }), handler);
      await get(url);
      pass(11);
      expect(await get(url)).toMatchObject({ status, text: 'answer 2' });
      expect(await get(url)).toMatchObject({ status: 503, text: 'answer 3' });
    },
  );

  it.each([
    ['an error', 503, {}, {}],
    ['a refusal of the moment', 429, {}, {}],
    ['what is about one request alone', 406, {}, {}],
    ['a cookie for one alone', 200, { 'set-cookie': 'visitor=1' }, {}],
    ['what is for somebody else alone', 200, { 'cache-control': 'private' }, { authorization: 'Bearer x' }],
  ])('still is after %s', async (_what, status, values, headers) => {
    const { now, pass } = clock();
    const handler = saying(kept, [status, values], [503, {}]);
    const url = await serving(cache({ now, staleIfErrorMs: 60_000 }), handler);
    await get(url);
    pass(11);
    await get(url, headers);
    expect(await get(url)).toMatchObject({ status: 200, text: 'answer 1' });
  });
});

describe('softTimeoutMs', () => {
  it('sends what there is when the new answer takes too long, and keeps that when it comes', async () => {
    const { now, pass } = clock();
    let release = (): void => undefined;
    const handler = counting((_req, res, next) => {
      res.set('x-made', 'below');
      if (handler.calls() === 1) return next();
      release = () => next();
    });
    const ends: string[] = [];
    const above: RequestHandler = (_req, res, next) => {
      res.on('close', () => ends.push('close'));
      next();
    };
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 30 });
    const url = await serving(above, route, handler);
    await get(url);
    pass(11);
    const stale = await get(url);
    expect(stale).toMatchObject({ status: 200, text: 'answer 1' });
    expect(stale.headers['cache-status']).toBe('signalbox; fwd=stale; detail=soft-timeout');
    // While it is made nobody else waits, nor calls again.
    expect((await get(url)).text).toBe('answer 1');
    expect(handler.calls()).toBe(2);
    release();
    await eventually(() => route.report().stored === 2);
    const renewed = await get(url);
    expect(renewed.text).toBe('answer 2');
    expect(renewed.headers['x-made']).toBe('below');
    await eventually(() => ends.length === 4);
  });
});

describe('an older answer that was sent since the new one takes long', () => {
  it('is what those above hear of, such as a log, whatever the handler has done so far', async () => {
    const { now, pass } = clock();
    const seen: unknown[] = [];
    const above: RequestHandler = (_req, res, next) => {
      for (const event of ['finish', 'close']) {
        res.on(event, () => {
          seen.push([event, res.statusCode, res.get('x-made'), res.headersSent, res.writableFinished]);
        });
      }
      next();
    };
    const handler = counting(async (_req, res, next) => {
      res.set('x-made', String(handler.calls()));
      if (handler.calls() > 1) {
        res.status(500);
        await pause(60);
      }
      res.status(200);
      next();
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
    const url = await serving(above, route, handler);
    await get(url);
    await eventually(() => seen.length === 2);
    pass(11);
    expect((await get(url)).headers['cache-status']).toContain('soft-timeout');
    await eventually(() => route.report().stored === 2);
    expect(seen.slice(2)).toEqual([
      ['finish', 200, '1', true, true],
      ['close', 200, '1', true, true],
    ]);
    expect(await get(url)).toMatchObject({ status: 200, text: 'answer 2' });
  });

  it('does not tell those who make the new one that nobody is there any more', async () => {
    const { now, pass } = clock();
    const looking: RequestHandler = (req, _res, next) =>
      next(req.signal.aborted ? new Error('gone') : undefined);
    const handler = counting(async (req, _res, next) => {
      if (handler.calls() > 1) await pause(60, undefined, { signal: req.signal });
      next();
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
    const url = await serving(requestContext(), looking, route, handler);
    await get(url);
    pass(11);
    expect((await get(url)).headers['cache-status']).toContain('soft-timeout');
    await eventually(async () => (await get(url)).text === 'answer 2');
    expect(handler.calls()).toBe(2);
  });
});

describe('softTimeoutMs, where another call for the same is under way', () => {
  const options = { ttlMs: 10_000, jitter: 0, staleIfErrorMs: 60_000, softTimeoutMs: 20 };

  it('holds also for who waits for one that nobody waits for', async () => {
    const { now, pass } = clock();
    let release = (): void => undefined;
    const handler = counting((_req, _res, next) => {
      if (handler.calls() === 1) return next();
      release = () => next();
    });
    const url = await serving(cache({ now, ...options, staleWhileRevalidateMs: 5_000 }), handler);
    await get(url);
    pass(11);
    await get(url);
    await eventually(() => handler.calls() === 2);
    pass(6);
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 1');
    release();
    await eventually(async () => (await get(url)).text === 'answer 2');
    expect(handler.calls()).toBe(2);
  });

  it('holds also for who waits for another process', async () => {
    const { now, pass } = clock();
    const store = memoryStore();
    let isMine = true;
    // As Redis has it, whose lock another process has got.
    const claim = (): Promise<Claim> => Promise.resolve({ isMine, release: () => undefined });
    const handler = counting();
    const shared = { ...store, stamp: 0, claim };
    const url = await serving(cache({ now, ...options, store: shared, waitMs: 300 }), handler);
    await get(url);
    pass(11);
    isMine = false;
    expect((await get(url)).text).toBe('answer 1');
    expect((await get(url)).text).toBe('answer 1');
    expect(handler.calls()).toBe(1);
    // That one has died.
    isMine = true;
    await eventually(async () => (await get(url)).text === 'answer 2');
    expect(handler.calls()).toBe(2);
  });
});

describe('an older answer that is still being sent by who stands above', () => {
  it('leaves whole, also where the new one comes meanwhile', async () => {
    const { now, pass } = clock();
    const page = randomBytes(2_000_000).toString('hex');
    const compressing: RequestHandler = (_req, res, next) => {
      const [write, end, on] = [res.write.bind(res), res.end.bind(res), res.on.bind(res)];
      res.end = (chunk?: unknown) => {
        const pieces = Readable.from(String(chunk).match(/[^]{1,50000}/g) ?? []);
        pieces.on('data', (piece: Buffer) => {
          pieces.pause();
          if (write(piece)) setTimeout(() => pieces.resume(), 1);
        });
        pieces.on('end', () => end());
        on('drain', () => pieces.resume());
        return res.writeHead(res.statusCode);
      };
      next();
    };
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() === 1) return void res.end(page);
      await pause(25);
      next();
    });
    const maxBodyBytes = 10_000_000;
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20, maxBodyBytes });
    const url = await serving(compressing, route, handler);
    await get(url);
    pass(11);
    const { text, headers } = await get(url);
    expect(text === page).toBe(true);
    expect(headers['cache-status']).toContain('soft-timeout');
    await eventually(() => route.report().stored === 2);
    expect((await get(url)).text).toBe('answer 2');
  });
});

describe('an older answer that is held back by who stands above', () => {
  const held: RequestHandler = (_req, res, next) => {
    const end = res.end.bind(res);
    Reflect.set(res, 'end', (...args: unknown[]) => {
      setTimeout(() => {
        res.setHeader('Set-Cookie', 'sid=1');
        Reflect.apply(end, res, args);
      }, 100);
      return res;
    });
    next();
  };

  it('leaves as it was, whatever the handlers do meanwhile', async () => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() > 1) await pause(60);
      if (handler.calls() > 1) res.status(304);
      res.set('x-made', String(handler.calls()));
      next();
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
    const url = await serving(held, route, handler);
    await get(url);
    pass(11);
    const { status, text, headers } = await get(url);
    expect([status, text, headers['x-made'], headers['set-cookie']]).toEqual([
      200,
      'answer 1',
      '1',
      ['sid=1'],
    ]);
  });

  it('breaks nothing where the handlers are late for it, be it in a callback', async () => {
    const { now, pass } = clock();
    const late: unknown[] = [];
    const handler = counting((_req, res, next) => {
      if (handler.calls() === 1) return next();
      setTimeout(() => res.destroy(), 60);
      setTimeout(() => {
        late.push(res.headersSent, res.set('x-made', 'late').status(201).writeHead(201).end('late') === res);
      }, 160);
    });
    const route = cache({ now, ttlMs: 10_000, staleIfErrorMs: 60_000, softTimeoutMs: 20 });
    const url = await serving(held, route, handler);
    await get(url);
    pass(11);
    expect((await get(url)).text).toBe('answer 1');
    await eventually(() => late.length > 0);
    expect(late).toEqual([true, true]);
  });
});

/** Has the first answer grow old: it is sent once more, and then the second. */
async function becomesNew(url: string, pass: ReturnType<typeof clock>['pass']): Promise<void> {
  await get(url);
  pass(11);
  expect((await get(url)).text).toBe('answer 1');
  await eventually(async () => (await get(url)).text === 'answer 2');
}

describe('an answer that is made anew when its client has gone', () => {
  const ways = [
    ['after a stale one was sent', { staleWhileRevalidateMs: 60_000 }],
    ['after a stale one was sent since it took long', { staleIfErrorMs: 60_000, softTimeoutMs: 20 }],
  ] as const;

  it.each(ways)('may come in pieces of any size, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res) => {
      if (handler.calls() > 1) await pause(40);
      const piece = Buffer.alloc(100_000, String(handler.calls()));
      await pipeline(Readable.from([piece, piece, piece]), res);
    });
    const url = await serving(cache({ now, ttlMs: 10_000, ...options }), handler);
    await get(url);
    pass(11);
    expect((await get(url)).text.startsWith('1')).toBe(true);
    await eventually(async () => (await get(url)).text.startsWith('2'));
    expect(handler.calls()).toBe(2);
  });

  it.each(ways)(
    'may come in such pieces through what a middleware below puts in between, %s',
    async (_when, options) => {
      const { now, pass } = clock();
      // As `compression` does: what is full is the stream in between, and of that its `on` tells.
      const inBetween: RequestHandler = (_req, res, next) => {
        const stream = new Transform({
          transform: (chunk, _encoding, done) => void setImmediate(done, null, chunk),
        });
        const [on, write, end] = [res.on.bind(res), res.write.bind(res), res.end.bind(res)];
        const listen = (event: string, listener: () => void): unknown =>
          event === 'drain' ? stream.on(event, listener) : on(event, listener);
        Object.assign(res, {
          on: listen,
          write: (chunk: unknown) => stream.write(chunk),
          end: () => stream.end(),
        });
        stream.on('data', (chunk) => write(chunk)).on('end', () => end());
        next();
      };
      const handler = counting(async (_req, res) => {
        if (handler.calls() > 1) await pause(40);
        const piece = Buffer.alloc(100_000, String(handler.calls()));
        Readable.from([piece, piece, piece]).pipe(res);
      });
      const url = await serving(cache({ now, ttlMs: 10_000, ...options }), inBetween, handler);
      await get(url);
      pass(11);
      expect((await get(url)).text.startsWith('1')).toBe(true);
      await eventually(async () => (await get(url)).text.startsWith('2'));
      expect(handler.calls()).toBe(2);
    },
  );

  it.each(ways)('may wait for the end of its request, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting(async (req, _res, next) => {
      // As what reads a body does, without a look at whether there is one.
      await new Promise((resolve) => req.on('data', () => undefined).on('end', resolve));
      if (handler.calls() > 1) await pause(40);
      next();
    });
    const url = await serving(cache({ now, ttlMs: 10_000, ...options }), handler);
    await becomesNew(url, pass);
    expect(handler.calls()).toBe(2);
  });

  it.each(ways)('has the tags that its handler has put into res.locals, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() > 1) await pause(40);
      res.locals['source'] = `source ${handler.calls()}`;
      res.set('x-kind', 'page');
      next();
    });
    const tags: CacheOptions['tags'] = (_req, res) => [
      String(res.locals['source']),
      String(res.get('x-kind')),
    ];
    const route = cache({ now, ttlMs: 10_000, tags, ...options });
    const url = await serving(route, handler);
    await becomesNew(url, pass);
    await route.invalidate({ tag: 'source 2' });
    expect((await get(url)).text).toBe('answer 3');
    await route.invalidate({ tag: 'page' });
    expect((await get(url)).text).toBe('answer 4');
  });

  it.each(ways)('may break off, and the next one is kept, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() === 1) return next();
      await pause(40);
      const pieces = handler.calls() === 2 ? breakingOff() : ['answer ', String(handler.calls())];
      await pipeline(Readable.from(pieces), res).catch(() => undefined);
    });
    const url = await serving(cache({ now, ttlMs: 10_000, ...options }), handler);
    await get(url);
    pass(11);
    expect((await get(url)).text).toBe('answer 1');
    await eventually(async () => (await get(url)).text === 'answer 3');
  });

  it.each(ways)(
    'breaks no connection, which may serve another request by then, %s',
    async (_when, options) => {
      const { now, pass } = clock();
      const app = express().set('env', 'test');
      let times = 0;
      app.get('/page', cache({ now, ttlMs: 10_000, ...options }), async (_req, res) => {
        times += 1;
        if (times === 1) return void res.end('page');
        await pause(40);
        res.write('half');
        // Express itself destroys the connection of an answer that has begun.
        throw new Error('upstream is gone');
      });
      app.get('/next', (_req, res) => void setTimeout(() => res.end(`next ${times}`), 100));
      const url = await listen(app);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      await send(`${url}/page`, { agent });
      pass(11);
      expect((await send(`${url}/page`, { agent })).text).toBe('page');
      expect((await send(`${url}/next`, { agent })).text).toBe('next 2');
    },
  );

  it.each(ways)(
    'is told to the log where it fails, whose line is written by then, %s',
    async (_when, options) => {
      const { now, pass } = clock();
      const told: unknown[] = [];
      // As a request logger does that writes errors in its own line.
      const logging: RequestHandler = (req, res, next) => {
        res.err = undefined;
        Reflect.set(req, 'log', { error: ({ err }: { err: unknown }) => told.push(err) });
        next();
      };
      const gone = new ServiceUnavailableError('the database is gone');
      const handler = counting(async (_req, _res, next) => {
        if (handler.calls() === 1) return next();
        await pause(40);
        next(gone);
      });
      const url = await serving(logging, cache({ now, ttlMs: 10_000, ...options }), handler);
      await get(url);
      pass(11);
      expect((await get(url)).text).toBe('answer 1');
      await eventually(() => told.length > 0);
      expect(told).toEqual([gone]);
    },
  );

  it.each(ways)('may have been given a time, %s', async (_when, options) => {
    const { now, pass } = clock();
    const handler = counting(async (_req, res, next) => {
      if (handler.calls() > 1) await pause(40);
      res.setTimeout(60_000);
      res.socket?.setNoDelay().setKeepAlive();
      next();
    });
    const url = await serving(cache({ now, ttlMs: 10_000, ...options }), handler);
    await becomesNew(url, pass);
    expect(handler.calls()).toBe(2);
  });

  it.each(ways)('is not told that the client has gone, %s', async (_when, options) => {
    const { now, pass } = clock();
    const seen: unknown[] = [];
    const handler = counting(async (req, _res, next) => {
      req.on('close', () => seen.push('close'));
      if (handler.calls() > 1) {
        await pause(40);
        req.on('close', () => seen.push('close'));
        await pause(20);
        seen.push(req.signal.aborted, req.destroyed, req.socket.destroyed);
      }
      next();
    });
    const url = await serving(requestContext(), cache({ now, ttlMs: 10_000, ...options }), handler);
    await get(url);
    await eventually(() => seen.length === 1);
    pass(11);
    expect((await get(url)).text).toBe('answer 1');
    await eventually(async () => (await get(url)).text === 'answer 2');
    expect(seen.slice(0, 4)).toEqual(['close', false, false, false]);
  });

  it.each(ways)('sees what stands above, and leaves it as the first one did, %s', async (_when, options) => {
    const { now, pass } = clock();
    const above: RequestHandler = (_req, res, next) => {
      res.set({ 'x-frame-options': 'DENY', 'access-control-allow-origin': 'https://app.example' });
      next();
    };
    const handler = counting(async (_req, res, next) => {
      res.removeHeader('x-frame-options');
      // As a proxy does with what its upstream says.
      if (!res.hasHeader('access-control-allow-origin')) res.set('access-control-allow-origin', '*');
      if (handler.calls() > 1) await pause(50);
      next();
    });
    const route = cache({ now, ttlMs: 10_000, ...options });
    const url = await serving(above, route, handler);
    await get(url);
    pass(11);
    expect((await get(url)).text).toBe('answer 1');
    await eventually(() => route.report().stored === 2);
    const { text, headers } = await get(url);
    expect([text, headers['x-frame-options']]).toEqual(['answer 2', undefined]);
    expect(headers['access-control-allow-origin']).toBe('https://app.example');
  });
});

function* breakingOff(): Generator<string> {
  yield 'half of ';
  throw new Error('upstream is gone');
}

describe('earlyRefresh', () => {
  it('makes an answer anew before it is stale, the likelier the nearer that is', async () => {
    const { now, pass } = clock();
    const handler = counting((_req, _res, next) => void setTimeout(next, 50));
    const url = await serving(cache({ now, ttlMs: 10_000, jitter: 0, earlyRefresh: true }), handler);
    await get(url);
    for (let times = 0; times < 20; times += 1) await get(url);
    expect(handler.calls()).toBe(1);
    pass(9.99);
    await eventually(async () => {
      await get(url);
      return handler.calls() === 2;
    });
    await eventually(async () => (await get(url)).text === 'answer 2');
  });

  it('lets a handler see that there is an answer, so that it need not put a worse one in its place', async () => {
    const { now, pass } = clock();
    const seen: boolean[] = [];
    const route = cache({ now, ttlMs: 10_000, jitter: 0, earlyRefresh: true, staleIfErrorMs: 60_000 });
    const url = await serving(route, (req, res) => {
      seen.push(route.standsBy(req));
      setTimeout(() => res.end('page'), 50);
    });
    await get(url);
    pass(9.99);
    await eventually(async () => {
      await get(url);
      return seen.length === 2;
    });
    expect(seen).toEqual([false, true]);
  });

  it('is nothing that HEAD does: its answer has no body to keep', async () => {
    const { now, pass } = clock();
    const methods: string[] = [];
    const handler: RequestHandler = (req, res) => {
      methods.push(req.method);
      setTimeout(() => {
        if (req.method === 'GET') res.write('page');
        res.end();
      }, 50);
    };
    const url = await serving(cache({ now, ttlMs: 10_000, jitter: 0, earlyRefresh: true }), handler);
    await get(url);
    pass(9.999);
    for (let times = 0; times < 50; times += 1) {
      expect((await send(url, { method: 'HEAD' })).headers['cache-status']).toContain('hit');
    }
    expect((await get(url)).text).toBe('page');
    expect(methods.filter((method) => method === 'HEAD')).toEqual([]);
  });
});
