import { once } from 'node:events';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { deadline, facts, requestContext } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express, { Router, type ErrorRequestHandler, type Express } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLogger, recordErrors, requestLogger, type RequestLoggerOptions } from '../src/index.js';
import { isRequestLine, recorder, type Recorder } from './recorder.js';

/** What the error handler of `errors` does for the log, and no more. */
const errorHandler: ErrorRequestHandler = (error: Error & { status?: number }, _req, res, _next) => {
  if ('err' in res) res.err = error;
  if (res.headersSent) res.destroy();
  else res.status(error.status ?? 500).json({ error: 'no' });
};

function app(
  build: (app: Express) => void,
  options: RequestLoggerOptions = {},
): { log: Recorder; app: Express } {
  const log = recorder();
  const app = express();
  app.use(requestContext(), requestLogger({ logger: createLogger({ destination: log }), ...options }));
  build(app);
  return { log, app };
}

function fail(status: number, properties: object = {}): Error {
  return Object.assign(new Error(`failed with ${status}`), { status, ...properties });
}

describe('requestLogger', () => {
  it('writes one line for a request, with what is known of it', async () => {
    const users = Router().get('/:id', (req, res) => {
      Object.assign(facts(req), {
        userId: 'u_7',
        apiVersion: 'v1',
        cacheStatus: 'miss',
        rateLimit: 'allowed',
      });
      res.json({ id: req.params.id });
    });
    const { log, app: server } = app((app) => app.use('/api/:tenant/users', users));
    const url = await listen(server);

    const response = await fetch(`${url}/api/acme/users/7?page=2`, {
      headers: {
        'user-agent': 'tester/1',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    });
    const line = await log.line(isRequestLine);

    expect(line).toEqual({
      level: 'info',
      time: expect.any(String) as string,
      pid: process.pid,
      reqId: response.headers.get('x-request-id'),
      traceId: '0af7651916cd43dd8448eb211c80319c',
      method: 'GET',
      route: '/api/:tenant/users/:id',
      url: '/api/acme/users/7?page=2',
      status: 200,
      durationMs: expect.any(Number) as number,
      bytes: expect.any(Number) as number,
      userId: 'u_7',
      apiVersion: 'v1',
      cacheStatus: 'miss',
      rateLimit: 'allowed',
      outcome: 'ok',
      remoteAddress: '127.0.0.1',
      userAgent: 'tester/1',
      msg: 'GET /api/:tenant/users/:id 200',
    });
    expect(log.lines).toHaveLength(1);
  });

  it('counts the bytes that were sent, also of a stream without a length', async () => {
    const { log, app: server } = app((app) => {
      app.get('/stream', (_req, res) => {
        res.write('x'.repeat(50_000));
        res.end('x'.repeat(50_000));
      });
    });
    await (await fetch(`${await listen(server)}/stream`)).arrayBuffer();

    const bytes = Number((await log.line(isRequestLine))['bytes']);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(101_000);
  });

  it('counts the bytes of each request on a connection by itself', async () => {
    const { log, app: server } = app((app) =>
      app.get('/:size', (req, res) => res.end('x'.repeat(Number(req.params.size)))),
    );
    const url = new URL(await listen(server));
    const socket = connect(Number(url.port), url.hostname).resume();
    for (const size of [5_000, 10]) {
      socket.write(`GET /${size} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await log.line((line) => line['url'] === `/${size}`);
    }
    socket.destroy();

    const [first, second] = log.lines.map((line) => Number(line['bytes']));
    expect(first).toBeGreaterThan(5_000);
    expect(second).toBeLessThan(500);
  });

  it('says that no route matched, and redacts tokens and searches in the URL', async () => {
    const { log, app: server } = app(() => {});
    await fetch(`${await listen(server)}/nope?q=my+illness&page=2&access_token=abc`);

    expect(await log.line(isRequestLine)).toMatchObject({
      level: 'info',
      route: 'unmatched',
      url: '/nope?q=[Redacted]&page=2&access_token=[Redacted]',
      status: 404,
      outcome: 'ok',
      msg: 'GET /nope 404',
    });
    expect(log.text).not.toContain('illness');
  });

  it('redacts the user in a whole URL, and cuts one that is too long', async () => {
    const { log, app: server } = app(() => {});
    const { port } = new URL(await listen(server));
    const socket = connect(Number(port), '127.0.0.1').resume();
    socket.end(`GET http://me:hunter2@x/${'a'.repeat(5_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);

    const line = await log.line(isRequestLine);
    expect(line['url']).toMatch(/^http:\/\/\[Redacted\]@x\/a+…$/);
    expect(String(line['url']).length).toBeLessThan(2_100);
    expect(log.text).not.toContain('hunter2');
  });

  it.each([
    ['/reset/:token', '/reset/:token'],
    ['/reset/:"reset-token"', '/reset/:"reset-token"'],
    [/^\/reset\/(?<token>[^/]+)$/, '^\\/reset\\/(?<token>[^/]+)$'],
  ])('prints the template in place of a path that has a secret in it: %s', async (route, template) => {
    const { log, app: server } = app((app) => app.get(route, (_req, res) => res.end()));
    await fetch(`${await listen(server)}/reset/tr0ub4dor`);

    expect(await log.line(isRequestLine)).toMatchObject({ url: template });
    expect(log.text).not.toContain('tr0ub4dor');
  });

  it.each([
    [200, 'info'],
    [304, 'info'],
    [400, 'info'],
    [404, 'info'],
    [422, 'info'],
    [401, 'warn'],
    [403, 'warn'],
    [429, 'warn'],
  ])('logs a %i at %s', async (status, level) => {
    const { log, app: server } = app((app) => app.get('/', (_req, res) => res.status(status).end()));
    await fetch(await listen(server));
    expect(await log.line(isRequestLine)).toMatchObject({ status, level, outcome: 'ok' });
  });

  it('logs a 5xx as an error, with the real error and its causes, once', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', async () => {
        const cause = Object.assign(new Error('connect ECONNREFUSED redis://me:hunter2@cache'), {
          code: 'ECONNREFUSED',
        });
        throw new Error('the session could not be read', { cause });
      });
      app.use(errorHandler);
    });
    await fetch(await listen(server));

    expect(await log.line(isRequestLine)).toMatchObject({
      level: 'error',
      status: 500,
      outcome: 'error',
      err: {
        type: 'Error',
        message: 'the session could not be read',
        stack: expect.stringContaining('request-logger.test.ts') as string,
        cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED redis://[Redacted]@cache' },
      },
    });
    expect(log.lines).toHaveLength(1);
    expect(log.text.match(/"message":"the session could not be read"/g)).toHaveLength(1);
    expect(log.text).not.toContain('hunter2');
  });

  it.each([
    ['a string', 'just words', { type: 'string', message: 'just words' }],
    ['an object', { status: 503, token: 't' }, { status: 503, token: '[Redacted]' }],
  ])('tells of %s that was thrown', async (_what, thrown, described) => {
    const { log, app: server } = app((app) => {
      app.get('/', (_req, _res, next) => next(thrown));
      app.use(errorHandler);
    });
    await fetch(await listen(server));
    expect(await log.line(isRequestLine)).toMatchObject({ level: 'error', err: described });
  });

  it('tells the mistake of a caller by its code alone', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', (_req, _res, next) => next(fail(401, { code: 'token_expired' })));
      app.use(errorHandler);
    });
    await fetch(await listen(server));

    const line = await log.line(isRequestLine);
    expect(line).toMatchObject({ level: 'warn', status: 401, outcome: 'ok', code: 'token_expired' });
    expect(line).not.toHaveProperty('err');
  });

  it('logs a 5xx as an error even where nobody tells it why', async () => {
    const { log, app: server } = app((app) => app.get('/', (_req, res) => res.status(503).end()));
    await fetch(await listen(server));

    const line = await log.line(isRequestLine);
    expect(line).toMatchObject({ level: 'error', status: 503, outcome: 'error' });
    expect(line).not.toHaveProperty('err');
  });

  it('learns the error from recordErrors() where the error handler is not ours', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', () => {
        throw new RangeError('too far');
      });
      app.use(recordErrors(), ((_error, _req, res, _next) =>
        res.status(500).end()) satisfies ErrorRequestHandler);
    });
    await fetch(await listen(server));
    expect(await log.line(isRequestLine)).toMatchObject({ level: 'error', err: { type: 'RangeError' } });
  });

  it('logs a response that broke off on our side as an error, with the status that was sent', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', (_req, res, next) => {
        res.write('half of ', () => setImmediate(() => next(new Error('the other half is missing'))));
      });
      app.use(errorHandler);
    });
    const response = await fetch(await listen(server));
    await expect(response.text()).rejects.toThrow();

    expect(await log.line(isRequestLine)).toMatchObject({
      level: 'error',
      outcome: 'error',
      status: 200,
      err: { message: 'the other half is missing' },
    });
  });

  it('does not call it an error when the client goes away', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', (req, res) => {
        res.on('close', () => facts(req));
        control.abort();
      });
    });
    const control = new AbortController();
    await expect(fetch(await listen(server), { signal: control.signal })).rejects.toThrow();

    const line = await log.line(isRequestLine);
    expect(line).toMatchObject({
      level: 'info',
      outcome: 'aborted',
      status: 499,
      remoteAddress: '127.0.0.1',
    });
    expect(line).not.toHaveProperty('err');
  });

  it('tells what has cut off an answer, be it a source that fails or an upstream that goes away', async () => {
    const { log, app: server } = app((app) => {
      app.get('/:code', (req, res) => {
        const { code } = req.params;
        const source = async function* (): AsyncGenerator<string> {
          yield 'half of ';
          throw Object.assign(new Error('the source failed'), { code });
        };
        pipeline(source, res, () => undefined);
      });
    });
    const url = await listen(server);

    for (const code of ['EIO', 'ECONNRESET']) {
      await expect(fetch(`${url}/${code}`).then((response) => response.text())).rejects.toThrow(TypeError);

      expect(await log.line((line) => line['url'] === `/${code}`)).toMatchObject({
        level: 'error',
        outcome: 'error',
        status: 200,
        err: { message: 'the source failed' },
      });
    }
  });

  it('knows an upload that breaks off as aborted, though the body parser reports an error', async () => {
    const { log, app: server } = app((app) => {
      app.post('/', express.json(), (_req, res) => res.end());
      app.use(errorHandler);
    });
    const url = new URL(await listen(server));
    const socket = connect(Number(url.port), url.hostname);
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
    );
    await once(socket, 'connect');
    setImmediate(() => socket.destroy());

    expect(await log.line(isRequestLine)).toMatchObject({ level: 'info', outcome: 'aborted', status: 499 });
  });

  it('says that the deadline expired, and what the request was doing', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', deadline(20), (req) => {
        facts(req).phase = 'asking the engine';
      });
      app.use(errorHandler);
    });
    await fetch(await listen(server));

    expect(await log.line(isRequestLine)).toMatchObject({
      level: 'error',
      outcome: 'timeout',
      status: 504,
      phase: 'asking the engine',
      err: { code: 'deadline_exceeded' },
    });
  });

  it('is silent about requests that say so, unless they fail', async () => {
    const { log, app: server } = app((app) => {
      app.get('/health', (req, res) => {
        facts(req).silent = true;
        res.status(Number(req.query['status'])).end();
      });
      app.get('/seen', (_req, res) => res.end());
    });
    const url = await listen(server);
    for (const path of ['/health?status=200', '/health?status=404', '/health?status=503', '/seen']) {
      await fetch(url + path);
    }
    await log.line((line) => line['url'] === '/seen');
    expect(log.lines.map((line) => [line['url'], line['level']])).toEqual([
      ['/health?status=503', 'error'],
      ['/seen', 'info'],
    ]);
  });

  it('is silent about requests that an option names, and adds fields that another one gives', async () => {
    const { log, app: server } = app((app) => app.get('/:name', (_req, res) => res.end()), {
      ignore: (req) => req.path === '/probe',
      fields: (req, res) => ({ tenant: 'acme', host: req.headers.host, sent: res.headersSent, apiKey: 'k' }),
    });
    const url = await listen(server);
    await fetch(`${url}/probe`);
    await fetch(`${url}/seen`);

    const line = await log.line(isRequestLine);
    expect(line).toMatchObject({ url: '/seen', tenant: 'acme', sent: true, apiKey: '[Redacted]' });
  });

  it('gives each request a logger whose lines carry its id, and none of its headers', async () => {
    const { log, app: server } = app((app) => {
      app.get('/', (req, res) => {
        req.log.info({ step: 1 }, 'working');
        req.log.child({ part: 'search' }).info('deeper');
        res.end();
      });
    });
    const response = await fetch(await listen(server), { headers: { cookie: 'sid=hunter2' } });
    await log.line(isRequestLine);

    const reqId = response.headers.get('x-request-id');
    expect(log.lines.slice(0, 2)).toMatchObject([
      { reqId, step: 1, msg: 'working' },
      { reqId, part: 'search', msg: 'deeper' },
    ]);
    expect(log.text).not.toContain('hunter2');
  });

  it('says nothing below the level of the logger, which may change while running', async () => {
    const log = recorder();
    const logger = createLogger({ destination: log, level: 'warn' });
    const server = express().use(requestLogger({ logger }));
    const url = await listen(server);

    await fetch(`${url}/before`);
    logger.level = 'info';
    await fetch(`${url}/after`);
    await log.line((line) => line['url'] === '/after');
    expect(log.lines).toHaveLength(1);
  });

  it('works alone, without requestContext(), on a logger that pino made, and mounted twice', async () => {
    const { pino } = await import('pino');
    const log = recorder();
    const middleware = requestLogger({ logger: pino({ base: null }, log) });
    const server = express().use(middleware);
    server.get('/', middleware, (req, res) => {
      req.log.error({ err: Object.assign(new Error('odd'), { token: 'hunter2' }) });
      res.end();
    });
    await fetch(await listen(server));

    const line = await log.line(isRequestLine);
    expect(line).toMatchObject({ reqId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string, status: 200 });
    expect(line).not.toHaveProperty('traceId');
    expect(log.lines.filter(isRequestLine)).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({ err: { message: 'odd', token: '[Redacted]' } });
  });

  it.each<[string, object, string]>([
    ['a misspelt option', { slowMS: 5 }, 'requestLogger: "slowMS" is not an option; did you mean "slowMs"?'],
    ['a threshold of 0', { slowMs: 0 }, '"slowMs" must be a number above 0, got 0'],
    ['a logger that is none', { logger: console }, '"logger" must be a pino logger, got an object'],
    ['an ignore that is no function', { ignore: '/health' }, '"ignore" must be a function, got "/health"'],
    [
      'an odd privacy',
      { privacy: 'on' },
      '"privacy" must be true, false or options, got text of 2 characters',
    ],
    [
      'a weak key, without repeating it',
      { privacy: { key: 'weak' } },
      '"privacy.key" must be at least 32 bytes long, got text of 4 characters',
    ],
    [
      'a misspelt privacy option',
      { privacy: { keys: 'x' } },
      'requestLogger: "privacy": "keys" is not an option; did you mean "key"?',
    ],
  ])('refuses %s at construction', (_what, options, message) => {
    expect(() => requestLogger(options as RequestLoggerOptions)).toThrow(TypeError);
    expect(() => requestLogger(options as RequestLoggerOptions)).toThrow(message);
  });

  it.each(['fields', 'ignore'] as const)(
    'writes the line where "%s" throws, and warns once',
    async (option) => {
      const warnings: Error[] = [];
      const hear = (warning: Error): number => warnings.push(warning);
      process.on('warning', hear);
      onTestFinished(() => void process.off('warning', hear));
      const { log, app: server } = app((app) => app.get('/:n', (_req, res) => res.end()), {
        [option]: () => {
          throw new TypeError('nobody is signed in');
        },
      });
      const url = await listen(server);

      for (const path of ['/1', '/2']) {
        await fetch(url + path);
        expect(await log.line((line) => line['url'] === path)).toMatchObject({ outcome: 'ok', status: 200 });
      }
      expect(warnings.map(({ message }) => message.split('\n')[0])).toEqual([
        `requestLogger: "${option}" threw, and may again: TypeError: nobody is signed in`,
      ]);
    },
  );
});
