import { deadline, facts, requestContext } from '@signalbox/context';
import { errorHandler, HttpError } from '@signalbox/errors';
import { listen, testClock } from '@signalbox/testing';
import compression from 'compression';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { send } from '../../../test/support/send.js';
import {
  idempotency,
  memoryIdempotencyStore,
  type IdempotencyOptions,
  type IdempotencyStore,
} from '../src/index.js';

/** An app that takes payments, one after the other; who pays stands in `X-User`. */
function appWith(options: IdempotencyOptions = {}, handler: RequestHandler = receipt()): Express {
  const app = express();
  app.use(express.json(), (req, _res, next) => {
    const subject = req.headers['x-user'];
    if (subject !== undefined) Object.assign(req, { auth: { subject } });
    next();
  });
  const once = idempotency(options);
  app.all('/payments', once, handler);
  app.all('/accounts/:id/payments', once, handler);
  app.use(errorHandler());
  return app;
}

function receipt(): RequestHandler {
  let number = 0;
  return (_req, res) => void res.status(201).location(`/payments/${++number}`).json({ number });
}

interface Paying {
  key?: string;
  amount?: number;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
}

async function pay(
  url: string,
  { key, amount = 5, path = '/payments', method = 'POST', headers }: Paying = {},
) {
  const response = await fetch(url + path, {
    method,
    headers: {
      'Content-Type': 'application/json',
      ...(key !== undefined && { 'Idempotency-Key': key }),
      ...headers,
    },
    body: method === 'GET' ? null : JSON.stringify({ amount }),
  });
  const body = (await response.json()) as { number?: number; error?: { type: string } };
  const replayed = response.headers.get('idempotency-replayed') === 'true';
  return { status: response.status, headers: response.headers, body, replayed };
}

describe('idempotency', () => {
  it('does once what is asked for twice with one key, and answers alike', async () => {
    const url = await listen(appWith());
    const first = await pay(url, { key: 'one' });
    const second = await pay(url, { key: 'one' });

    expect(first).toMatchObject({ status: 201, body: { number: 1 }, replayed: false });
    expect(second).toMatchObject({ status: 201, body: { number: 1 }, replayed: true });
    for (const name of ['location', 'content-type', 'etag', 'content-length']) {
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await pay(url, { key: 'two' })).toMatchObject({ body: { number: 2 }, replayed: false });
  });

  it('lets alone what has no key, and methods that it is not for', async () => {
    const url = await listen(appWith());

    expect((await pay(url)).body.number).toBe(1);
    expect((await pay(url)).body.number).toBe(2);
    expect((await pay(url, { key: 'one', method: 'PUT' })).body.number).toBe(3);
    expect((await pay(url, { key: 'one', method: 'PUT' })).body.number).toBe(4);
    expect((await pay(url, { key: 'one', method: 'GET' })).body.number).toBe(5);
  });

  it('knows a key with quotes and without, as the draft and as most clients write it', async () => {
    const url = await listen(appWith());
    await pay(url, { key: '"8e03978e-40d5-43dd-bc93-6894a57f9324"' });

    expect((await pay(url, { key: '8e03978e-40d5-43dd-bc93-6894a57f9324' })).replayed).toBe(true);
  });

  it.each([
    '',
    ' ',
    '""',
    '"',
    'a b',
    'a,b',
    '"a", "b"',
    'a;b',
    '"a";b=1',
    'a"b',
    'a\\b',
    'ä',
    'x'.repeat(256),
  ])('refuses the key %j with 400', async (key) => {
    const url = await listen(appWith());
    const headers = { 'Idempotency-Key': Buffer.from(key).toString('latin1') };
    const answer = await send(url, { method: 'POST', path: '/payments', headers });

    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { type: 'idempotency_key_invalid' } });
  });

  it('refuses several keys with 400', async () => {
    const headers = { 'Idempotency-Key': ['one', 'two'] };
    const answer = await send(await listen(appWith()), { method: 'POST', path: '/payments', headers });

    expect(answer.status).toBe(400);
  });

  it('asks for a key where one is required', async () => {
    const url = await listen(appWith({ required: true }));

    expect(await pay(url)).toMatchObject({
      status: 400,
      body: { error: { type: 'idempotency_key_required' } },
    });
    expect((await pay(url, { key: 'one' })).status).toBe(201);
    expect((await pay(url, { method: 'PUT' })).status).toBe(201);
  });

  it.each([
    ['another body', { amount: 6 }],
    ['another query', { path: '/payments?currency=EUR' }],
    ['another type of content', { headers: { 'Content-Type': 'application/json; charset=utf-8' } }],
  ])('refuses a key that comes with %s with 422', async (_what, other) => {
    const url = await listen(appWith());
    await pay(url, { key: 'one' });

    expect(await pay(url, { key: 'one', ...other })).toMatchObject({
      status: 422,
      body: { error: { type: 'idempotency_key_reused' } },
    });
  });

  it('refuses a key that comes with another value in the path of its route', async () => {
    const url = await listen(appWith());
    await pay(url, { key: 'one', path: '/accounts/1/payments' });

    expect((await pay(url, { key: 'one', path: '/accounts/2/payments' })).status).toBe(422);
  });

  it('keeps the keys of callers, routes and methods apart', async () => {
    const url = await listen(appWith());
    const all: Paying[] = [
      { headers: { 'X-User': 'ada' } },
      { headers: { 'X-User': 'bob' } },
      {},
      { path: '/accounts/1/payments' },
      { method: 'PATCH' },
    ];
    for (const [index, paying] of all.entries()) {
      expect((await pay(url, { key: 'one', ...paying })).body.number).toBe(index + 1);
    }
    for (const [index, paying] of all.entries()) {
      expect(await pay(url, { key: 'one', ...paying })).toMatchObject({
        body: { number: index + 1 },
        replayed: true,
      });
    }
  });

  it('keeps the keys of paths apart where it stands before all routes', async () => {
    let number = 0;
    const app = express();
    app.use(express.json(), idempotency());
    app.post(['/a', '/b'], (_req, res) => void res.json({ number: ++number }));
    const url = await listen(app);
    for (const replayed of [false, true]) {
      expect(await pay(url, { key: 'one', path: '/a' })).toMatchObject({ body: { number: 1 }, replayed });
      expect(await pay(url, { key: 'one', path: '/b' })).toMatchObject({ body: { number: 2 }, replayed });
    }
  });

  it.each([
    ['a session', (req: Request, id: string) => void (facts(req).userId = id)],
    [
      'a middleware that sets req.user',
      (req: Request, id: string) => void Object.assign(req, { user: { id } }),
    ],
    [
      'one that leaves the claims of a token in req.auth',
      (req: Request, id: string) => void Object.assign(req, { auth: { sub: id } }),
    ],
    [
      'one whose users have numbers',
      (req: Request, id: string) => void Object.assign(req, { user: { id: Number(id) } }),
    ],
  ])(
    'gives nobody what was answered to another one at the same address who signed in by %s',
    async (_way, signIn) => {
      const app = express();
      app.use((req, _res, next) => {
        signIn(req, String(req.headers['x-user']));
        next();
      });
      app.post('/payments', express.json(), idempotency(), receipt());
      const url = await listen(app);

      const [one, two] = [{ 'x-user': '1' }, { 'x-user': '2' }];
      expect(await pay(url, { key: 'k', headers: one })).toMatchObject({
        body: { number: 1 },
        replayed: false,
      });
      expect(await pay(url, { key: 'k', headers: two })).toMatchObject({
        body: { number: 2 },
        replayed: false,
      });
      expect(await pay(url, { key: 'k', headers: one })).toMatchObject({
        body: { number: 1 },
        replayed: true,
      });
    },
  );

  it('takes a scope of yours, whatever is in it', async () => {
    const url = await listen(appWith({ scope: ({ headers }) => String(headers['x-tenant']) }));
    await pay(url, { key: 'c', headers: { 'X-Tenant': 'a","b' } });

    expect((await pay(url, { key: 'c', headers: { 'X-Tenant': 'a' } })).replayed).toBe(false);
    expect((await pay(url, { key: 'c', headers: { 'X-Tenant': 'a","b' } })).replayed).toBe(true);
  });

  it.each([
    ['before its first byte', 0],
    ['in its middle', 1],
  ])('lets the next try begin where a source fails that was to be the answer, %s', async (_when, chunks) => {
    let runs = 0;
    const source = async function* (): AsyncGenerator<string> {
      for (let sent = 0; sent < chunks; sent += 1) yield 'half of ';
      throw new Error('the source failed');
    };
    const url = await listen(
      appWith({}, async (_req, res) => {
        runs += 1;
        if (runs === 1) await pipeline(source, res);
        else res.json({ number: runs });
      }),
    );

    await expect(pay(url, { key: 'one' })).rejects.toThrow(TypeError);
    await expect.poll(() => pay(url, { key: 'one' })).toMatchObject({ body: { number: 2 } });
  });

  it('knows a form that is sent again, whose boundary is another', async () => {
    let runs = 0;
    const url = await listen(appWith({}, (_req, res) => void res.json({ number: ++runs })));
    const upload = async (text: string): Promise<number> => {
      const body = new FormData();
      body.set('text', text);
      const headers = { 'Idempotency-Key': 'one' };
      return (await fetch(`${url}/payments`, { method: 'POST', headers, body })).status;
    };

    expect([await upload('a'), await upload('a'), await upload('another')]).toEqual([200, 200, 422]);
    expect(runs).toBe(1);
  });

  it.each<[string, (name: string, bytes: Buffer) => object]>([
    ['multer in memory', (originalname, buffer) => ({ file: { originalname, size: buffer.length, buffer } })],
    ['multer, of several', (originalname, buffer) => ({ files: [{ originalname, buffer }] })],
    ['multer, by field', (originalname, buffer) => ({ files: { a: [{ originalname, buffer }] } })],
    ['express-fileupload', (name, data) => ({ files: { a: { name, data } } })],
    [
      'multer on disk',
      (originalname, { length: size }) => ({ file: { originalname, size, path: randomUUID() } }),
    ],
  ])('refuses the key with another file, as it comes from %s', async (_parser, filesOf) => {
    let runs = 0;
    const app = express();
    app.use(express.raw({ type: '*/*' }), (req, _res, next) => {
      const uploaded = filesOf(String(req.headers['x-name']), req.body as Buffer);
      Object.assign(req, uploaded, { body: { text: 'same' } });
      next();
    });
    app.post('/upload', idempotency({ scope: () => 'me' }), (_req, res) => void res.json({ runs: ++runs }));
    app.use(errorHandler());
    const url = await listen(app);
    const upload = async (name: string, body: string): Promise<number> => {
      const headers = { 'Idempotency-Key': 'one', 'Content-Type': 'multipart/form-data', 'X-Name': name };
      return (await fetch(`${url}/upload`, { method: 'POST', headers, body })).status;
    };

    expect(await upload('a.txt', 'content')).toBe(200);
    expect(await upload('a.txt', 'content')).toBe(200);
    expect(await upload('b.txt', 'content')).toBe(422);
    expect(await upload('a.txt', 'another content')).toBe(422);
    expect(runs).toBe(1);
  });

  it('keeps the keys as hashes alone', async () => {
    const ids: string[] = [];
    const store = memoryIdempotencyStore();
    const watched: IdempotencyStore = {
      ...store,
      begin(id, claim) {
        ids.push(id, claim.fingerprint);
        return store.begin(id, claim);
      },
    };
    const url = await listen(appWith({ store: watched }));
    await pay(url, { key: 'my-key', headers: { 'X-User': 'ada' } });

    expect(ids).toHaveLength(2);
    for (const id of ids) expect(id).toMatch(/^[\w-]{43}$/);
  });
});

describe('idempotency: what is kept', () => {
  it.each([200, 202, 204, 303, 400, 402, 404, 410, 422])('is an answer of %i', async (status) => {
    let runs = 0;
    const handler: RequestHandler = (_req, res) => void res.status(status).json({ runs: ++runs });
    const url = await listen(appWith({}, handler));
    for (let times = 0; times < 2; times += 1) {
      const answer = await send(url, {
        method: 'POST',
        path: '/payments',
        headers: { 'Idempotency-Key': 'one' },
      });
      expect(answer.status).toBe(status);
      expect(answer.headers['idempotency-replayed']).toBe(times === 1 ? 'true' : undefined);
      expect(answer.text).toBe(status === 204 ? '' : '{"runs":1}');
    }
  });

  it.each([401, 403, 408, 409, 425, 429, 500, 502, 503, 504])(
    'is no refusal of %i: the next try runs',
    async (status) => {
      let runs = 0;
      const handler: RequestHandler = (_req, res, next) => {
        runs += 1;
        if (runs === 1) next(new HttpError(status));
        else res.json({ number: runs });
      };
      const url = await listen(appWith({}, handler));

      expect((await pay(url, { key: 'one' })).status).toBe(status);
      expect(await pay(url, { key: 'one' })).toMatchObject({
        status: 200,
        body: { number: 2 },
        replayed: false,
      });
    },
  );

  it('is a body in pieces, of bytes and of text', async () => {
    const handler: RequestHandler = (_req, res) => {
      res.type('application/json');
      res.write('{"text":');
      res.write(Buffer.from('"ä",'));
      res.write(Buffer.from('"number":').toString('base64'), 'base64');
      res.end('7}', () => undefined);
    };
    const url = await listen(appWith({}, handler));

    expect((await pay(url, { key: 'one' })).body).toEqual({ text: 'ä', number: 7 });
    expect(await pay(url, { key: 'one' })).toMatchObject({ body: { text: 'ä', number: 7 }, replayed: true });
  });

  it.each([
    ['before', 'at once'],
    ['after', 'at once'],
    ['before', 'in pieces'],
    ['after', 'in pieces'],
    ['before', 'with its head first'],
    ['after', 'with its head first'],
    ['before', 'by writeHead'],
    ['after', 'by writeHead'],
  ])('is readable with compression mounted %s it, sent %s', async (place, how) => {
    const text = 'x'.repeat(5_000);
    const app = express();
    const [first, second] = [compression(), idempotency()];
    app.use(...(place === 'before' ? [first, second] : [second, first]));
    app.post('/', (_req, res) => {
      if (how === 'at once') return void res.send(text);
      if (how === 'by writeHead') res.writeHead(200, ['Content-Type', 'text/plain']);
      else res.type('text/plain');
      if (how === 'with its head first') res.flushHeaders();
      res.write(text.slice(0, 10));
      res.end(text.slice(10));
    });
    const url = await listen(app);
    for (let times = 0; times < 2; times += 1) {
      const answer = await fetch(url, { method: 'POST', headers: { 'Idempotency-Key': 'one' } });
      expect(await answer.text()).toBe(text);
      expect(answer.headers.get('content-type')).toMatch(/^text\/(?:plain|html)/);
      expect(answer.headers.get('idempotency-replayed')).toBe(times === 1 ? 'true' : null);
    }
  });

  it('goes on behind compression where somebody else has told the stream to wait, as sessions do', async () => {
    const app = express();
    app.use(compression({ threshold: 0 }), idempotency(), (_req, res, next) => {
      const write = res.write.bind(res) as (...args: unknown[]) => boolean;
      res.write = (...args: unknown[]) => {
        write(...args);
        return false;
      };
      next();
    });
    app.post('/', (_req, res) => {
      const file = createReadStream(fileURLToPath(import.meta.url), { end: 9_999 });
      // With a length: what ends it is known as it is written.
      res.type('text/plain').setHeader('Content-Length', 10_000);
      file.pipe(res);
    });
    const url = await listen(app);

    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'Idempotency-Key': 'one' },
      signal: AbortSignal.timeout(5_000),
    });
    expect((await answer.arrayBuffer()).byteLength).toBe(10_000);
  });

  it('has no cookie, and other header fields only where asked for', async () => {
    const handler: RequestHandler = (_req, res) => {
      res.set({ 'Set-Cookie': 'sid=secret', 'X-Other': 'a', 'X-Kept': 'b', Link: ['<a>', '<b>'] as never });
      res.json({ number: 1 });
    };
    const url = await listen(appWith({ headers: ['X-Kept'] }, handler));
    await pay(url, { key: 'one' });
    const { headers } = await pay(url, { key: 'one' });

    expect(headers.getSetCookie()).toEqual([]);
    expect(headers.get('x-other')).toBeNull();
    expect(headers.get('x-kept')).toBe('b');
    expect(headers.get('link')).toBe('<a>, <b>');
  });

  it('has what describes it also where the handler sets that with `writeHead` alone', async () => {
    const app = express().disable('x-powered-by');
    app.post('/payments', idempotency(), (_req, res) => {
      res.writeHead(201, { 'Content-Type': 'application/json', Location: '/payments/1' }).end('{}');
    });
    const url = await listen(app);
    await pay(url, { key: 'one' });
    const { headers, replayed } = await pay(url, { key: 'one' });

    expect(replayed).toBe(true);
    expect(headers.get('location')).toBe('/payments/1');
    expect(headers.get('content-type')).toBe('application/json');
  });

  it('has a bound: of a longer answer a repetition learns only that it was done', async () => {
    let runs = 0;
    const handler: RequestHandler = (_req, res) => void res.json({ runs: ++runs, text: 'x'.repeat(1_000) });
    const url = await listen(appWith({ maxBytes: 500 }, handler));

    expect((await pay(url, { key: 'one' })).status).toBe(200);
    expect(await pay(url, { key: 'one' })).toMatchObject({
      status: 409,
      body: { error: { type: 'idempotency_not_replayable' } },
    });
    expect(runs).toBe(1);
  });

  it('is kept for its time', async () => {
    const clock = testClock(1_000_000);
    const url = await listen(appWith({ store: memoryIdempotencyStore({ now: clock.now }), ttlSeconds: 60 }));
    await pay(url, { key: 'one' });
    clock.advance(59_000);
    expect((await pay(url, { key: 'one' })).replayed).toBe(true);
    clock.advance(2_000);
    expect((await pay(url, { key: 'one' })).body.number).toBe(2);
  });
});

describe('idempotency: at the same time', () => {
  /** A handler that waits until it is let go. */
  function gate(): { handler: RequestHandler; open: () => void; runs: () => number; entered: Promise<void> } {
    let runs = 0;
    let enter = (): void => undefined;
    let open = (): void => undefined;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const opened = new Promise<void>((resolve) => (open = resolve));
    return {
      entered,
      open: () => open(),
      runs: () => runs,
      async handler(_req, res) {
        runs += 1;
        enter();
        await opened;
        res.json({ number: runs });
      },
    };
  }

  it('refuses a repetition with 409 while the first one runs', async () => {
    const { handler, open, entered, runs } = gate();
    const url = await listen(appWith({}, handler));
    const first = pay(url, { key: 'one' });
    await entered;
    const second = await pay(url, { key: 'one' });
    expect(second).toMatchObject({ status: 409, body: { error: { type: 'idempotency_in_progress' } } });
    expect(second.headers.get('retry-after')).toBe('1');
    expect((await pay(url, { key: 'one', amount: 6 })).status).toBe(422);

    open();
    expect((await first).status).toBe(200);
    expect(await pay(url, { key: 'one' })).toMatchObject({ body: { number: 1 }, replayed: true });
    expect(runs()).toBe(1);
  });

  it('lets a repetition wait for the answer where it is told to', async () => {
    const { handler, open, entered, runs } = gate();
    const url = await listen(appWith({ waitMs: 10_000 }, handler));
    const first = pay(url, { key: 'one' });
    await entered;
    const second = pay(url, { key: 'one' });
    open();

    expect(await second).toMatchObject({ status: 200, body: { number: 1 }, replayed: true });
    expect((await first).replayed).toBe(false);
    expect(runs()).toBe(1);
  });

  it('lets a repetition wait no longer than it is told to', async () => {
    const { handler, open, entered } = gate();
    const url = await listen(appWith({ waitMs: 60 }, handler));
    const first = pay(url, { key: 'one' });
    await entered;

    expect((await pay(url, { key: 'one' })).status).toBe(409);
    open();
    await first;
  });

  it('runs once for fifty at a time', async () => {
    const { handler, open, runs } = gate();
    const url = await listen(appWith({ waitMs: 10_000 }, handler));
    const all = Array.from({ length: 50 }, () => pay(url, { key: 'one' }));
    open();
    const answers = await Promise.all(all);

    expect(runs()).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    for (const { status, body } of answers)
      expect({ status, body }).toEqual({ status: 200, body: { number: 1 } });
  });

  it('runs each key once, whatever comes in whatever order', async () => {
    const runs = new Map<string, number>();
    const handler: RequestHandler = async (req, res) => {
      const key = String(req.headers['idempotency-key']);
      await new Promise((resolve) => setImmediate(resolve));
      runs.set(key, (runs.get(key) ?? 0) + 1);
      res.json({ number: 1 });
    };
    const url = await listen(appWith({ waitMs: 5_000 }, handler));
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.integer({ min: 0, max: 3 }), amount: fc.integer({ min: 1, max: 2 }) }), {
          minLength: 1,
          maxLength: 15,
        }),
        async (payments) => {
          runs.clear();
          round += 1;
          const answers = await Promise.all(
            payments.map(({ key, amount }) => pay(url, { key: `${round}-${key}`, amount })),
          );
          for (const { status } of answers) expect([200, 422]).toContain(status);
          for (const times of runs.values()) expect(times).toBe(1);
          expect(runs.size).toBe(new Set(payments.map(({ key }) => key)).size);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('is held by a try whose client went away, and its answer is kept all the same', async () => {
    const { handler, open, entered, runs } = gate();
    const url = await listen(appWith({}, handler));
    const abort = new AbortController();
    const headers = { 'Idempotency-Key': 'one', 'Content-Type': 'application/json' };
    const body = JSON.stringify({ amount: 5 });
    const first = fetch(`${url}/payments`, { method: 'POST', headers, body, signal: abort.signal });
    await entered;
    abort.abort();
    await expect(first).rejects.toThrow();

    expect((await pay(url, { key: 'one' })).status).toBe(409);
    open();
    await expect.poll(async () => (await pay(url, { key: 'one' })).replayed).toBe(true);
    expect(runs()).toBe(1);
  });

  it('is free again when a try whose client went away has failed', async () => {
    let runs = 0;
    const handler: RequestHandler = async (req, res) => {
      runs += 1;
      if (runs === 1) await new Promise((_resolve, reject) => req.signal.addEventListener('abort', reject));
      res.json({ number: runs });
    };
    const app = express();
    app.use(requestContext(), express.json());
    app.post('/payments', idempotency(), handler);
    app.use(errorHandler());
    const url = await listen(app);
    const abort = new AbortController();
    const headers = { 'Idempotency-Key': 'one', 'Content-Type': 'application/json' };
    const body = JSON.stringify({ amount: 5 });
    const first = fetch(`${url}/payments`, { method: 'POST', headers, body, signal: abort.signal });
    await expect.poll(() => runs).toBe(1);
    abort.abort();
    await expect(first).rejects.toThrow();

    await expect.poll(async () => (await pay(url, { key: 'one' })).body.number).toBe(2);
  });

  it('is held by a try whose deadline is over while it goes on', async () => {
    const { handler, open, runs } = gate();
    const app = express();
    app.use(deadline(50), express.json());
    app.post('/payments', idempotency(), handler);
    app.use(errorHandler());
    const url = await listen(app);

    expect((await pay(url, { key: 'one' })).status).toBe(504);
    expect((await pay(url, { key: 'one' })).status).toBe(409);
    open();
    expect((await pay(url, { key: 'one' })).status).toBe(409);
    expect(runs()).toBe(1);
  });

  it('is not begun by a repetition whose deadline is over while it waits', async () => {
    let runs = 0;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const app = express();
    app.use(express.json());
    app.use((req, res, next) => (req.headers['x-user'] === 'hasty' ? deadline(50)(req, res, next) : next()));
    app.post('/payments', idempotency({ waitMs: 10_000, scope: () => 'all' }), async (_req, res) => {
      runs += 1;
      if (runs === 1) await opened;
      res.status(runs === 1 ? 503 : 201).json({ number: runs });
    });
    app.use(errorHandler());
    const url = await listen(app);
    const first = pay(url, { key: 'one' });
    await expect.poll(() => runs).toBe(1);

    expect((await pay(url, { key: 'one', headers: { 'X-User': 'hasty' } })).status).toBe(504);
    open();
    expect((await first).status).toBe(503);
    // As long as it takes to ask the store anew.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(runs).toBe(1);
    expect(await pay(url, { key: 'one' })).toMatchObject({ status: 201, body: { number: 2 } });
  });

  it('begins anew after a try that never ended', async () => {
    const clock = testClock(1_000_000);
    const { handler, entered, runs, open } = gate();
    const url = await listen(
      appWith({ store: memoryIdempotencyStore({ now: clock.now }), lockSeconds: 30 }, handler),
    );
    const crashed = pay(url, { key: 'one' });
    await entered;
    clock.advance(29_000);
    expect((await pay(url, { key: 'one' })).status).toBe(409);
    clock.advance(2_000);
    open();

    expect(await pay(url, { key: 'one' })).toMatchObject({ status: 200, replayed: false });
    await crashed;
    expect(runs()).toBe(2);
  });
});

describe('idempotency: an answer leaves once it is kept', () => {
  /** A store that keeps an answer when it is told to. */
  function slowStore(): { store: IdempotencyStore; keep: () => void; asked: Promise<void> } {
    const store = memoryIdempotencyStore();
    let keep = (): void => undefined;
    let ask = (): void => undefined;
    const told = new Promise<void>((resolve) => (keep = resolve));
    const asked = new Promise<void>((resolve) => (ask = resolve));
    const finish: IdempotencyStore['finish'] = async (...args) => {
      ask();
      await told;
      return store.finish(...args);
    };
    return { store: { ...store, finish }, asked, keep: () => keep() };
  }

  /** What has come of an answer by now, and whether it is whole. */
  async function begin(url: string, path = '/payments') {
    const seen = { text: '', isWhole: false, status: 0 };
    const headers = { 'Idempotency-Key': 'one' };
    const response = fetch(url + path, { method: 'POST', headers });
    const whole = response.then(async ({ body, status }) => {
      seen.status = status;
      const decoder = new TextDecoder();
      for await (const piece of body ?? []) seen.text += decoder.decode(piece, { stream: true });
      seen.isWhole = true;
    });
    return { seen, whole };
  }

  it('whole where it is sent at once', async () => {
    const { store, asked, keep } = slowStore();
    const url = await listen(appWith({ store }));
    const { seen, whole } = await begin(url);
    await asked;
    await pay(url, { method: 'GET' });
    expect(seen).toEqual({ text: '', isWhole: false, status: 0 });

    keep();
    await whole;
    expect(seen).toMatchObject({ status: 201, text: '{"number":1}' });
    expect((await send(url, REPEATED)).headers['idempotency-replayed']).toBe('true');
  });

  it.each([
    ['of a length that nobody knows', 'first last', (res: Response) => res],
    ['whose length is told', 'first ', (res: Response) => res.set('Content-Length', '10')],
    [
      'whose length writeHead tells',
      'first ',
      (res: Response) => res.writeHead(200, { 'Content-Length': 10 }),
    ],
    [
      'whose length writeHead tells in a list',
      'first ',
      (res: Response) => res.writeHead(200, ['Content-Length', '10']),
    ],
  ])('to its last piece where it comes in pieces, %s', async (_what, early, beginWith) => {
    const { store, asked, keep } = slowStore();
    const handler: RequestHandler = ({ method }, res) => {
      if (method === 'GET') return void res.json({});
      beginWith(res).write('first ');
      setImmediate(() => {
        res.write('last');
        setImmediate(() => res.end());
      });
    };
    const url = await listen(appWith({ store }, handler));
    const { seen, whole } = await begin(url);
    await asked;
    await pay(url, { method: 'GET' });
    expect(seen).toMatchObject({ text: early, isWhole: false });

    keep();
    await whole;
    expect(seen.text).toBe('first last');
  });

  it('also where it is too long to be kept', async () => {
    const { store, asked, keep } = slowStore();
    const handler: RequestHandler = (_req, res) => {
      res.set('Content-Length', '2000').write('x'.repeat(1_000));
      setImmediate(() => res.end('x'.repeat(1_000)));
    };
    const url = await listen(appWith({ store, maxBytes: 500 }, handler));
    const { seen, whole } = await begin(url);
    await asked;
    await expect.poll(() => seen.text.length).toBe(1_000);

    keep();
    await whole;
    expect(seen.text).toHaveLength(2_000);
  });

  it('as it was, whatever the handler does meanwhile', async () => {
    const { store, asked, keep } = slowStore();
    const calls: string[] = [];
    const handler: RequestHandler = (_req, res) => {
      res.status(201).set('X-Answer', 'first').json({ number: 1 });
      res.end(() => calls.push('second end'));
      throw new Error('too late');
    };
    const app = express();
    app.post('/payments', idempotency({ store }), handler);
    const failed: ErrorRequestHandler = (_error, _req, res, _next) => {
      res.removeHeader('X-Answer');
      res.writeHead(500, { 'X-Error': 'yes' }).end('failed');
    };
    app.use(failed);
    const url = await listen(app);
    const first = send(url, REPEATED);
    await asked;
    keep();

    const answer = await first;
    expect(answer).toMatchObject({ status: 201, text: '{"number":1}' });
    expect(answer.headers).toMatchObject({ 'x-answer': 'first' });
    expect(answer.headers).not.toHaveProperty('x-error');
    expect(calls).toEqual(['second end']);
    expect(await send(url, REPEATED)).toMatchObject({ status: 201, text: '{"number":1}' });
  });

  it('or a second later, where its store never says so', async () => {
    const { store } = slowStore();
    const url = await listen(appWith({ store }));

    expect(await send(url, REPEATED)).toMatchObject({ status: 201, text: '{"number":1}' });
  });

  it('and one that cannot be sent is a failure like any other', async () => {
    const handler: RequestHandler = (_req, res) => {
      res.statusCode = 1_000;
      res.end('no such status');
    };
    const url = await listen(appWith({}, handler));

    expect((await send(url, REPEATED)).status).toBe(500);
  });
});

const REPEATED = { method: 'POST', path: '/payments', headers: { 'Idempotency-Key': 'one' } };

describe('idempotency: a store that fails', () => {
  async function fail(error: Error): Promise<never> {
    throw error;
  }
  const failing = (error: Error): IdempotencyStore => ({
    shared: false,
    begin: () => fail(error),
    finish: () => fail(error),
    release: () => fail(error),
  });

  it('by being gone is a matter of policy', async () => {
    const store = failing(new HttpError(503));

    expect(await pay(await listen(appWith({ store })), { key: 'one' })).toMatchObject({
      status: 503,
      body: { error: { type: 'idempotency_unavailable' } },
    });
    expect((await pay(await listen(appWith({ store, onStoreDown: 'open' })), { key: 'one' })).status).toBe(
      201,
    );
    expect((await pay(await listen(appWith({ store })))).status).toBe(201);
  });

  it('by a mistake is a failure like any other', async () => {
    const store = failing(new TypeError('wrong'));

    expect((await pay(await listen(appWith({ store, onStoreDown: 'open' })), { key: 'one' })).status).toBe(
      500,
    );
  });
});

describe('options of idempotency', () => {
  it.each([
    [null, '"options" must be an object, got null'],
    [{ ttl: 5 }, '"ttl" is not an option; there are store, secrets, ttlSeconds'],
    [{ ttlseconds: 5 }, '"ttlseconds" is not an option; did you mean "ttlSeconds"?'],
    [{ store: {} }, '"store" must be memoryIdempotencyStore() or redisIdempotencyStore(), got an object'],
    [{ secrets: 'short' }, '"secrets" must be of at least 32 bytes each, got text of 5 characters'],
    [{ ttlSeconds: 0 }, '"ttlSeconds" must be an integer from 1 to 31536000, got 0'],
    [{ lockSeconds: 0.5 }, '"lockSeconds" must be an integer from 1 to 86400, got 0.5'],
    [{ waitMs: -1 }, '"waitMs" must be an integer from 0 to 60000, got -1'],
    [{ required: 'yes' }, '"required" must be true or false, got "yes"'],
    [{ methods: 'POST' }, '"methods" must be a list of methods, got "POST"'],
    [{ scope: 'user' }, '"scope" must be a function, got "user"'],
    [{ headers: ['a b'] }, '"headers" must be a list of header names, got "a b"'],
    [{ headers: ['set-cookie'] }, '"headers" must not have Set-Cookie'],
    [{ maxBytes: -1 }, '"maxBytes" must be an integer of at least 0, got -1'],
    [{ onStoreDown: 'local' }, '"onStoreDown" must be "closed" or "open", got "local"'],
  ])('refuse %j', (options, message) => {
    const build = (): unknown => idempotency(options as never);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(`idempotency: ${message}`);
  });
});
