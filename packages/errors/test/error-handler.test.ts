import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { listen, start } from '@signalbox/testing';
import cors from 'cors';
import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import {
  ConflictError,
  errorHandler,
  HttpError,
  methodNotAllowed,
  notFound,
  NotFoundError,
  ServiceUnavailableError,
  TooManyRequestsError,
  type ErrorHandlerOptions,
  type ErrorObject,
} from '../src/index.js';

/** An app whose every route fails with `error`, and what it reported. */
function failing(error: unknown, options?: ErrorHandlerOptions, ...before: RequestHandler[]): Express {
  return app(options, ...before, () => {
    throw error;
  });
}

function app(options?: ErrorHandlerOptions, ...handlers: RequestHandler[]): Express {
  const made = express();
  made.use((_req, res, next) => {
    res.err = undefined;
    next();
  });
  for (const handler of handlers) made.use(handler);
  made.use(notFound());
  made.use(errorHandler(options));
  return made;
}

interface Body {
  error: ErrorObject & { timestamp: string; traceback: string[] };
  [field: string]: unknown;
}

async function bodyOf(response: Response): Promise<Body> {
  return (await response.json()) as Body;
}

function get(url: string, accept?: string): Promise<Response> {
  return fetch(url, accept === undefined ? {} : { headers: { accept } });
}

describe('errorHandler', () => {
  it('answers in the envelope, with status, type, message, time, path without query, and method', async () => {
    const url = await listen(failing(new NotFoundError('No such book')));

    const response = await get(`${url}/books/7?secret=1`);

    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const { error } = await bodyOf(response);
    expect(error).toMatchObject({
      code: 404,
      type: 'not_found',
      message: 'No such book',
      path: '/books/7',
      method: 'GET',
    });
    expect(new Date(error.timestamp).toISOString()).toBe(error.timestamp);
    expect(error).not.toHaveProperty('traceback');
  });

  it('carries the request id where there is one', async () => {
    const identify: RequestHandler = (req, _res, next) => {
      Object.assign(req, { id: 'r-1' });
      next();
    };
    const url = await listen(failing(new NotFoundError(), {}, identify));

    expect((await bodyOf(await get(url))).error.requestId).toBe('r-1');
  });

  it('escapes what comes from the request, and from the error', async () => {
    const url = await listen(failing(new NotFoundError('Not "this" \u2028 \\ one')));

    const { error } = await bodyOf(await get(`${url}/a"b%22\\u0000`));

    expect(error.message).toBe('Not "this" \u2028 \\ one');
    expect(error).toMatchObject({ code: 404, type: 'not_found', method: 'GET' });
    expect(String(error.path)).toMatch(/^\/a/);
  });

  it('puts payload fields beside the error, and never over it', async () => {
    const url = await listen(
      failing(
        new HttpError(409, 'Taken', { code: 'name_taken', payload: { suggestion: 'ann2', error: 'x' } }),
      ),
    );

    const body = await bodyOf(await get(url));

    expect(body.suggestion).toBe('ann2');
    expect(body.error.type).toBe('name_taken');
  });

  it.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/problem+json', 'application/problem+json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
    ['text/plain', 'text/plain'],
    ['image/png', 'application/json'],
    ['text/html;q=0, application/json;q=0', 'application/json'],
    [';;;,,', 'application/json'],
  ])('answers Accept %s with %s', async (accept, type) => {
    const url = await listen(failing(new ConflictError()));

    // fetch sends `*/*` by itself; this client sends what it is told.
    const { headers } = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { headers: accept === undefined ? {} : { accept } }, resolve)
        .on('error', reject)
        .end();
    });

    expect(headers['content-type']).toBe(`${type}; charset=utf-8`);
    expect(headers.vary).toBe('Accept');
  });

  it('answers with a problem document of RFC 9457 by option', async () => {
    const error = new HttpError(403, 'Too poor', { code: 'no_credit', details: { balance: 30 } });
    const url = await listen(
      failing(error, { format: 'problem', problemTypeBase: 'https://example.org/e/' }),
    );

    const response = await get(`${url}/buy`, 'application/json');

    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await bodyOf(response)).toMatchObject({
      type: 'https://example.org/e/no_credit',
      title: 'Forbidden',
      status: 403,
      detail: 'Too poor',
      instance: '/buy',
      details: { balance: 30 },
    });
  });

  it('escapes what it shows in HTML', async () => {
    const url = await listen(failing(new NotFoundError('<script>alert(1)</script>')));

    const page = await (await get(url, 'text/html')).text();

    expect(page).toContain('&lt;script&gt;');
    expect(page).not.toContain('<script>');
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const url = await listen(failing(new NotFoundError()));

    const head = await fetch(url, { method: 'HEAD' });

    expect(head.status).toBe(404);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(50);
    expect(await head.text()).toBe('');
  });

  it('hides the message and details of a 5xx, and shows them where the error says so', async () => {
    const hidden = await listen(failing(new HttpError(500, 'password is hunter2', { details: { a: 1 } })));
    const shown = await listen(failing(new HttpError(503, 'Back at noon', { expose: true })));

    const { error } = await bodyOf(await get(hidden));
    expect(error.message).toBe('Internal Server Error');
    expect(error).not.toHaveProperty('details');
    expect((await bodyOf(await get(shown))).error.message).toBe('Back at noon');
  });

  it('shows a traceback with causes of a 5xx in development, and none of a 4xx', async () => {
    const broken = new Error('outer', { cause: new Error('inner') });
    const url = await listen(failing(broken, { development: true }));
    const refused = await listen(failing(new NotFoundError(), { development: true }));

    const { traceback } = (await bodyOf(await get(url))).error;
    expect(traceback[0]).toBe('Error: outer');
    expect(traceback).toContain('caused by: Error: inner');
    expect((await bodyOf(await get(refused))).error).not.toHaveProperty('traceback');
  });

  it('keeps CORS, security, request-id and limit headers, and drops those of the failed response', async () => {
    const url = await listen(
      app({}, helmet(), cors({ origin: 'https://app.example' }), (_req, res) => {
        res.set({
          'X-Request-ID': 'r-1',
          RateLimit: '"api";r=9;t=1',
          ETag: '"abc"',
          'Last-Modified': new Date(0).toUTCString(),
          'Cache-Control': 'public, max-age=600',
          'Content-Encoding': 'gzip',
          'Content-Length': '5',
          'Content-Disposition': 'attachment',
        });
        throw new Error('late');
      }),
    );

    const { headers, status } = await fetch(url, { headers: { origin: 'https://app.example' } });

    expect(status).toBe(500);
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(headers.get('vary')).toBe('Origin, Accept');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('x-request-id')).toBe('r-1');
    expect(headers.get('ratelimit')).toBe('"api";r=9;t=1');
    expect(headers.get('cache-control')).toBe('no-store');
    for (const dropped of ['etag', 'last-modified', 'content-encoding', 'content-disposition']) {
      expect(headers.has(dropped), dropped).toBe(false);
    }
  });

  it('is not kept by a cache that was told of its own how long to keep what failed', async () => {
    const fields = {
      'CDN-Cache-Control': 'max-age=3600',
      'Surrogate-Control': 'max-age=3600',
      'Content-Digest': 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
    };
    const url = await listen(
      app({}, (_req, res) => {
        res.set(fields);
        throw new Error('late');
      }),
    );

    const { headers } = await get(url);

    expect(headers.get('cache-control')).toBe('no-store');
    for (const name of Object.keys(fields)) expect(headers.has(name), name).toBe(false);
  });

  it('leaves 404 and 410 to caches, but not by the freshness of what was not found', async () => {
    const url = await listen(
      failing(new NotFoundError(), {}, (_req, res, next) => {
        res.set('Cache-Control', 'public, max-age=31536000, immutable');
        next();
      }),
    );

    expect((await get(url)).headers.has('cache-control')).toBe(false);
  });

  it('keeps cookies on a 4xx, and on a 5xx only those that were named', async () => {
    const cookies: RequestHandler = (_req, res, next) => {
      res.cookie('csrf', '1').cookie('cart', '2');
      next();
    };
    const refused = await listen(failing(new NotFoundError(), {}, cookies));
    const broken = await listen(failing(new Error('x'), { keepCookies: ['csrf'] }, cookies));

    expect((await get(refused)).headers.getSetCookie()).toHaveLength(2);
    expect((await get(broken)).headers.getSetCookie()).toEqual(['csrf=1; Path=/']);
  });

  it('sends Retry-After of 429 and 503', async () => {
    const limited = await listen(failing(new TooManyRequestsError('Slow down', { retryAfterSeconds: 1.2 })));
    const busy = await listen(failing(new ServiceUnavailableError(undefined, { retryAfterSeconds: 30 })));

    expect((await get(limited)).headers.get('retry-after')).toBe('2');
    expect((await get(busy)).headers.get('retry-after')).toBe('30');
  });

  it('answers 405 with the methods that the route has', async () => {
    const made = express();
    made
      .route('/users')
      .get((_req, res) => void res.json([]))
      .post((_req, res) => void res.json({}))
      .all(methodNotAllowed());
    made.use(errorHandler());
    const url = await listen(made);

    const response = await fetch(`${url}/users`, { method: 'DELETE' });

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, POST, HEAD');
  });

  it('destroys the connection when the response has begun, so that half an answer does not look whole', async () => {
    const reported = vi.fn<(error: unknown) => void>();
    const url = await listen(
      app(
        {},
        (_req, res, next) => {
          res.on('close', () => reported(res.err));
          next();
        },
        (_req, res) => {
          res.write('half');
          throw new Error('in the middle');
        },
      ),
    );

    await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
    await vi.waitFor(() => expect(reported).toHaveBeenCalledTimes(1));
    expect(reported.mock.calls[0]?.[0]).toMatchObject({ message: 'in the middle' });
  });

  it('reports once what has cut off the answer before it was told, as in await pipeline(file, res)', async () => {
    const source = async function* (): AsyncGenerator<string> {
      yield 'half';
      throw new Error('the source failed');
    };
    for (const isLineWritten of [false, true]) {
      const log = { error: vi.fn<(object: { err: Error }) => void>() };
      const told: unknown[] = [];
      const url = await listen(
        app(
          {},
          (req, res, next) => {
            Object.assign(req, { log });
            // As a request logger does that has seen what it was.
            res.on('close', () =>
              told.push((res.err ??= isLineWritten ? (res.errored ?? undefined) : undefined)),
            );
            next();
          },
          async (_req, res) => {
            const closed = once(res, 'close');
            try {
              await pipeline(source, res);
            } finally {
              if (isLineWritten) await closed;
            }
          },
        ),
      );

      await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
      await vi.waitFor(() => expect(told).toMatchObject([{ message: 'the source failed' }]));
      expect(log.error).not.toHaveBeenCalled();
    }
  });

  it('leaves an answer alone that was sent when its handler fails, and logs the failure', async () => {
    const log = { error: vi.fn<(object: object, message: string) => void>() };
    const url = await listen(
      app({}, async (req, res) => {
        Object.assign(req, { log });
        res.json({ ok: true });
        // Its line in the log is written by then.
        await once(res, 'finish');
        throw new Error('afterwards');
      }),
    );

    expect(await bodyOf(await get(url))).toEqual({ ok: true });
    await vi.waitFor(() => expect(log.error).toHaveBeenCalledTimes(1));
  });

  it.each([
    ['BigInt in the details', new HttpError(400, 'x', { details: { big: 1n } })],
    [
      'a getter that throws',
      new HttpError(400, 'x', {
        details: {
          get a() {
            throw new Error('no');
          },
        },
      }),
    ],
  ])('still answers 500 when the answer cannot be made: %s', async (_what, error) => {
    const url = await listen(failing(error));

    const response = await get(url);

    expect(response.status).toBe(500);
    expect((await bodyOf(response)).error.type).toBe('internal_server_error');
  });

  it.each([{ 'X-Why': 'a \u2603' }, { 'X-Why': ['a', 'b\r\nX-Evil: 1'] }, { 'X Why': 'a' }])(
    'still answers 500, in its own form, where the error has header fields that cannot be sent: %j',
    async (headers) => {
      const url = await listen(failing(new HttpError(422, 'Wrong', { headers })));

      const response = await get(url);

      expect(response.status).toBe(500);
      expect(await bodyOf(response)).toMatchObject({ error: { type: 'internal_server_error' } });
    },
  );

  it('still answers 500 when the mapper throws', async () => {
    const url = await listen(
      failing(new Error('x'), {
        map() {
          throw new Error('mapper');
        },
      }),
    );

    expect((await get(url)).status).toBe(500);
  });

  it('lets the app map errors of its own', async () => {
    class OutOfStock extends Error {}
    const url = await listen(
      failing(new OutOfStock(), {
        map: (error) =>
          error instanceof OutOfStock ? new ConflictError('Sold out', { code: 'sold_out' }) : undefined,
      }),
    );

    expect((await bodyOf(await get(url))).error).toMatchObject({ code: 409, type: 'sold_out' });
  });

  it.each([undefined, null, 'a string', 42, Symbol('s'), {}, { status: 'x' }, { status: 200 }])(
    'answers 500 to a thrown %s',
    async (thrown) => {
      const url = await listen(
        app({}, async () => {
          throw thrown;
        }),
      );

      expect((await get(url)).status).toBe(500);
    },
  );

  it('gives the error to a request logger that listens on res.err, once, and writes nothing itself', async () => {
    const lines: unknown[] = [];
    const cause = new Error('inner');
    const broken = new Error('outer', { cause });
    const url = await listen(
      failing(broken, {}, (req, res, next) => {
        Object.assign(req, { log: { error: (line: unknown) => lines.push(line) } });
        res.on('finish', () => lines.push(res.err));
        next();
      }),
    );

    await get(url);

    await vi.waitFor(() => expect(lines).toEqual([broken]));
  });

  it('leaves a 4xx there too, so that the line can tell its code, and reports it nowhere', async () => {
    const seen: unknown[] = [];
    const log = { error: vi.fn<() => void>() };
    const refusal = new NotFoundError('No such book', { code: 'no_such_book' });
    const url = await listen(
      failing(refusal, {}, (req, res, next) => {
        Object.assign(req, { log });
        res.on('finish', () => seen.push(res.err));
        next();
      }),
    );

    await get(url);

    await vi.waitFor(() => expect(seen).toEqual([refusal]));
    expect(log.error).not.toHaveBeenCalled();
  });

  it('logs a 5xx through req.log where nothing listens on res.err, and a 4xx not at all', async () => {
    const log = { error: vi.fn<(object: object, message: string) => void>() };
    const made = express();
    made.use((req, _res, next) => {
      Object.assign(req, { log });
      next();
    });
    made.get('/broken', () => {
      throw new Error('broken');
    });
    made.use(notFound(), errorHandler());
    const url = await listen(made);

    await get(`${url}/broken`);
    await get(`${url}/nowhere`);

    expect(log.error).toHaveBeenCalledTimes(1);
    expect(log.error.mock.calls[0]?.[0]).toMatchObject({ err: { message: 'broken' } });
  });

  it('writes a 5xx to stderr where there is no logger, without the properties of the error', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const made = express();
    made.get('/broken', () => {
      throw Object.assign(new Error('broken'), { authorization: 'Bearer abc' });
    });
    made.use(errorHandler());
    const url = await listen(made);

    await get(`${url}/broken?token=abc`);

    const written = write.mock.calls.map(([line]) => String(line)).join('');
    write.mockRestore();
    expect(written).toContain('GET /broken failed: Error: broken');
    expect(written).not.toContain('abc');
  });

  it('takes a client that went away for no error', async () => {
    const seen: { status: number; error: unknown }[] = [];
    const aborted = new AbortController();
    const { url } = await start(
      app({}, (req, res, next) => {
        res.on('close', () => setImmediate(() => seen.push({ status: res.statusCode, error: res.err })));
        req.on('close', () => next(new Error('aborted')));
        aborted.abort();
      }),
    );

    const pending = fetch(url, { signal: aborted.signal });

    await expect(pending).rejects.toThrow();
    await vi.waitFor(() => expect(seen).toEqual([{ status: 499, error: undefined }]));
  });

  it('takes a download that its client ends for no error, also where the handler passes on what it hears of that', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'errors-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    // More than the buffers of a connection hold.
    await writeFile(join(folder, 'file'), Buffer.alloc(20_000_000));
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const passedOn = vi.fn<(error: Error | undefined) => void>();
    const made = express();
    made.get('/', (_req, res, next) => {
      res.sendFile('file', { root: folder }, (error) => {
        passedOn(error);
        next(error);
      });
    });
    made.use(errorHandler());
    const aborted = new AbortController();

    const { status } = await fetch(await listen(made), { signal: aborted.signal });
    aborted.abort();
    await vi.waitFor(() => expect(passedOn).toHaveBeenCalledOnce());

    const reported = write.mock.calls.map(([line]) => String(line));
    write.mockRestore();
    expect(status).toBe(200);
    expect(passedOn.mock.calls[0]?.[0]).toMatchObject({ code: 'ECONNABORTED' });
    expect(reported).toEqual([]);
  });

  it('does not let a status phrase of the failed handler through', async () => {
    const url = await listen(
      app({}, (_req, res) => {
        res.statusMessage = 'All Fine';
        throw new NotFoundError();
      }),
    );

    expect((await get(url)).statusText).toBe('Not Found');
  });

  it('answers where the failed handler had announced a trailer', async () => {
    const url = await listen(
      app({}, (_req, res) => {
        res.set('Trailer', 'Server-Timing');
        throw new Error('late');
      }),
    );

    const response = await get(url);

    expect(response.status).toBe(500);
    expect(response.headers.has('trailer')).toBe(false);
    expect((await bodyOf(response)).error.type).toBe('internal_server_error');
  });

  it.each<[string, ErrorHandlerOptions | Record<string, unknown>]>([
    ['format', { format: 'xml' }],
    ['development', { development: 'yes' }],
    ['problemTypeBase', { problemTypeBase: 'not a uri' }],
    ['noStore', { noStore: 1 }],
    ['keepCookies', { keepCookies: 'csrf' }],
    ['map', { map: {} }],
    ['fromat', { fromat: 'problem' }],
  ])('refuses a wrong %s at construction', (option, options) => {
    expect(() => errorHandler(options as ErrorHandlerOptions)).toThrow(`errorHandler: "${option}" must be`);
  });
});

const database = (code: string) => Object.assign(new Error('secret detail'), { code, severity: 'ERROR' });
const system = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.1`), { code });
const named = (name: string) => Object.assign(new Error('jwt'), { name });

describe('known failures', () => {
  it.each<[string, unknown, number, string]>([
    ['jsonwebtoken: expired', named('TokenExpiredError'), 401, 'token_expired'],
    ['jsonwebtoken: malformed', named('JsonWebTokenError'), 401, 'invalid_token'],
    ['multer and busboy: cut off', new Error('Unexpected end of form'), 400, 'malformed_body'],
    ['multer and busboy: no boundary', new Error('Multipart: Boundary not found'), 400, 'malformed_body'],
    ['multer and busboy: no form', new Error('Malformed part header'), 400, 'malformed_body'],
    ['csurf', Object.assign(new Error('x'), { status: 403, code: 'EBADCSRFTOKEN' }), 403, 'csrf_failed'],
    ['Postgres: unique violation', database('23505'), 409, 'conflict'],
    ['Postgres: statement timeout', database('57014'), 503, 'database_timeout'],
    ['Postgres: serialization failure', database('40001'), 503, 'transaction_conflict'],
    ['Postgres: shutting down', database('57P01'), 503, 'database_unavailable'],
    ['Postgres: a syntax error', database('42601'), 500, 'internal_server_error'],
    ['ECONNREFUSED', system('ECONNREFUSED'), 502, 'bad_gateway'],
    ['ENOTFOUND', system('ENOTFOUND'), 502, 'bad_gateway'],
    ['EPIPE', system('EPIPE'), 502, 'bad_gateway'],
    ['fetch failed', new TypeError('fetch failed', { cause: system('ECONNREFUSED') }), 502, 'bad_gateway'],
    ['ETIMEDOUT', system('ETIMEDOUT'), 504, 'gateway_timeout'],
    ['AbortSignal.timeout', new DOMException('t', 'TimeoutError'), 504, 'gateway_timeout'],
    ['ENOENT', system('ENOENT'), 500, 'internal_server_error'],
    [
      'http-errors',
      Object.assign(new Error('I am a teapot'), { status: 418, expose: true }),
      418,
      'http_418',
    ],
  ])('%s', async (_what, error, status, type) => {
    const url = await listen(failing(error));

    const response = await get(url);
    const text = await response.text();

    expect(response.status).toBe(status);
    expect(JSON.parse(text).error.type).toBe(type);
    expect(text).not.toContain('secret detail');
    expect(text).not.toContain('10.0.0.1');
  });

  it('says retry after one second where the database says so', async () => {
    const url = await listen(failing(database('40001')));

    expect((await get(url)).headers.get('retry-after')).toBe('1');
  });

  it('answers tokens that are not valid with a challenge', async () => {
    const url = await listen(failing(named('JsonWebTokenError')));

    expect((await get(url)).headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('names the fields of a zod error', async () => {
    const url = await listen(
      app({}, () => {
        z.object({ user: z.object({ 'e/mail': z.email() }) }).parse({ user: { 'e/mail': 'x' } });
      }),
    );

    const response = await get(url);

    expect(response.status).toBe(422);
    expect((await bodyOf(response)).error.details).toEqual([
      { pointer: '/user/e~1mail', message: expect.any(String) },
    ]);
  });

  it.each([
    ['malformed JSON', { body: '{"a":', type: 'application/json' }, 400, 'malformed_body'],
    [
      'a body over the limit',
      { body: JSON.stringify('x'.repeat(200)), type: 'application/json' },
      413,
      'payload_too_large',
    ],
    [
      'an unknown charset',
      { body: '{}', type: 'application/json; charset=klingon' },
      415,
      'unsupported_media_type',
    ],
    [
      'an unknown encoding',
      { body: '{}', type: 'application/json', encoding: 'zip' },
      415,
      'unsupported_media_type',
    ],
  ])(
    'express.json: %s',
    async (_what, {
      body,
      type,
      encoding,
    }: { body: string; type: string; encoding?: string }, status, code) => {
      const url = await listen(app({}, express.json({ limit: 100 })));

      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: { 'content-type': type, ...(encoding ? { 'content-encoding': encoding } : {}) },
      });
      const text = await response.text();

      expect(response.status).toBe(status);
      expect(JSON.parse(text).error.type).toBe(code);
      expect(text).not.toContain('{"a":');
    },
  );

  it('a URL that cannot be decoded is 400', async () => {
    const made = express();
    made.get('/users/:id', (_req, res) => void res.end());
    made.use(notFound(), errorHandler());
    const url = await listen(made);

    const response = await get(`${url}/users/%E0%A4%A`);

    expect(response.status).toBe(400);
    expect((await bodyOf(response)).error.type).toBe('malformed_uri');
  });

  it('of the client of another service, with all fields of its answer, keep those that are about the failure', async () => {
    const headers = {
      'retry-after': '7',
      'content-encoding': 'gzip',
      'transfer-encoding': 'chunked',
      'content-length': '3',
      'set-cookie': 'of=another',
      'access-control-allow-origin': '*',
      vary: 'Accept-Encoding',
      'x-request-id': 'of-another',
    };
    const url = await listen(
      failing(
        Object.assign(new Error('Slow down'), { status: 429, headers }),
        {},
        cors({ origin: 'https://app.example' }),
      ),
    );

    const response = await get(url);

    expect(response.status).toBe(429);
    expect((await bodyOf(response)).error.message).toBe('Slow down');
    expect(response.headers.get('retry-after')).toBe('7');
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(response.headers.get('vary')).toBe('Origin, Accept');
    for (const name of ['content-encoding', 'transfer-encoding', 'set-cookie', 'x-request-id']) {
      expect(response.headers.has(name), name).toBe(false);
    }
  });

  it('a range that cannot be satisfied keeps its Content-Range', async () => {
    const made = express();
    made.get('/', (_req, res) => res.sendFile(import.meta.filename));
    made.use(errorHandler());
    const url = await listen(made);

    const response = await fetch(url, { headers: { range: 'bytes=99999999-' } });

    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toMatch(/^bytes \*\/\d+$/);
  });
});
