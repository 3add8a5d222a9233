import { EventEmitter, once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import express, { type Express, Router } from 'express';
import { describe, expect, it } from 'vitest';
import { currentRequest, requestContext, type RequestContextOptions } from '../src/index.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface AppOptions extends RequestContextOptions {
  trustProxy?: boolean | string;
}

/** Answers with its id. */
function app({ trustProxy = false, ...options }: AppOptions = {}): Express {
  const made = express();
  made.set('trust proxy', trustProxy);
  made.use(requestContext(options));
  made.get('/', (req, res) => {
    res.json({ id: req.id });
  });
  made.get('/fails', () => {
    throw new Error('broken');
  });
  return made;
}

async function idFor(made: Express, sent?: string): Promise<string> {
  const headers: Record<string, string> = sent === undefined ? {} : { 'X-Request-ID': sent };
  const response = await fetch(await listen(made), { headers });
  const { id } = (await response.json()) as { id: string };
  expect(response.headers.get('x-request-id')).toBe(id);
  return id;
}

describe('requestContext: the id', () => {
  it('is a UUIDv7, and every response carries it', async () => {
    expect(await idFor(app())).toMatch(UUID_V7);
  });

  it('differs from request to request', async () => {
    const url = await listen(app());
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => (await fetch(url)).headers.get('x-request-id')),
    );

    expect(new Set(ids).size).toBe(50);
  });

  it.each(['/missing', '/fails', '/%ff'])('is on the error response of %s too', async (path) => {
    const made = app();
    made.use((_error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(500).end();
    });
    const response = await fetch(`${await listen(made)}${path}`);

    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.headers.get('x-request-id')).toMatch(UUID_V7);
  });

  it('is the X-Request-ID of a peer that `trust proxy` trusts', async () => {
    expect(await idFor(app({ trustProxy: 'loopback' }), 'edge:7.a_B-9')).toBe('edge:7.a_B-9');
  });

  it.each([false, '10.0.0.0/8'])('is not that of another peer (trust proxy: %s)', async (trustProxy) => {
    expect(await idFor(app({ trustProxy }), 'edge-7')).toMatch(UUID_V7);
  });

  it.each([
    ['empty', ''],
    ['129 characters', 'a'.repeat(129)],
    ['with a space', 'a b'],
    ['with markup', '<script>'],
    ['with a slash', 'a/b'],
    ['with a percent sign', 'a%0a'],
  ])('is not a value that is %s', async (_what, sent) => {
    expect(await idFor(app({ trustRequestId: true }), sent)).toMatch(UUID_V7);
  });

  it('is not one of two that came', async () => {
    const url = await listen(app({ trustRequestId: true }));
    const asked = request(url, { headers: { 'X-Request-ID': ['one', 'two'] } }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();

    expect(response.headers['x-request-id']).toMatch(UUID_V7);
  });

  it('may have 128 characters', async () => {
    const longest = 'a'.repeat(128);

    expect(await idFor(app({ trustRequestId: true }), longest)).toBe(longest);
  });

  it('is taken over by option: always, never, or as a function says', async () => {
    expect(await idFor(app({ trustRequestId: true }), 'sent')).toBe('sent');
    expect(await idFor(app({ trustRequestId: false, trustProxy: true }), 'sent')).toMatch(UUID_V7);
    const fromTests = (req: express.Request): boolean => req.get('user-agent') === 'node';
    expect(await idFor(app({ trustRequestId: fromTests }), 'sent')).toBe('sent');
  });

  it('can be made by a function', async () => {
    expect(await idFor(app({ generateId: (req) => `mine-${req.method}` }))).toBe('mine-GET');
  });

  it.each([
    [{ trustRequestId: 'yes' }, 'requestContext: "trustRequestId" must be a boolean or a function, got yes'],
    [{ generateId: 7 }, 'requestContext: "generateId" must be a function, got 7'],
    [{ trustRequestID: true }, 'requestContext: "trustRequestID" is no option'],
  ])('refuses the options %j', (options, message) => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => requestContext(options)).toThrow(message);
  });
});

describe('requestContext: currentRequest', () => {
  it('is undefined outside of a request', () => {
    expect(currentRequest()).toBeUndefined();
  });

  it('finds the request below handlers, awaits, timers and promises', async () => {
    const made = express().use(requestContext());
    const deep = async (): Promise<string | undefined> => {
      await sleep(1);
      await Promise.all([sleep(1), new Promise((resolve) => setImmediate(resolve))]);
      return currentRequest()?.id;
    };
    made.get('/', async (req, res) => {
      res.json([req.id, currentRequest()?.id, await deep(), currentRequest()?.req === req]);
    });

    const [id, ...found] = (await (await fetch(await listen(made))).json()) as unknown[];
    expect(found).toEqual([id, id, true]);
  });

  it('never mixes up requests that run at the same time', async () => {
    const made = express().use(requestContext({ trustRequestId: true }));
    made.get('/', async (_req, res) => {
      await sleep(Math.random() * 10);
      res.send(currentRequest()?.id);
    });
    const url = await listen(made);
    const ids = Array.from({ length: 100 }, (_, i) => `request-${i}`);
    const answers = await Promise.all(
      ids.map(async (id) => (await fetch(url, { headers: { 'X-Request-ID': id } })).text()),
    );

    expect(answers).toEqual(ids);
  });

  it('finds the request after the body parsers', async () => {
    const made = express().use(requestContext(), express.json(), express.urlencoded(), express.text());
    made.post('/', (req, res) => {
      res.json(currentRequest()?.id === req.id);
    });
    const url = await listen(made);

    for (const [type, body] of [
      ['application/json', '{"a":1}'],
      ['application/x-www-form-urlencoded', 'a=1'],
      ['text/plain', 'a'],
    ] as const) {
      const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body });
      expect(await response.json()).toBe(true);
    }
  });

  it('finds the request in listeners of the request and of the response', async () => {
    const made = express().use(requestContext());
    const heard: Record<string, boolean> = {};
    const events = new EventEmitter();
    made.post('/', (req, res) => {
      const hears = (name: string) => () => {
        heard[name] = currentRequest()?.req === req;
      };
      req.on('data', hears('data')).on('end', hears('end')).on('close', hears('req close'));
      req.once('data', () => events.emit('begun'));
      req.on('end', () => setTimeout(() => res.end(), 1));
      res.on('finish', hears('finish')).on('close', hears('res close'));
      res.on('close', () => events.emit('closed'));
    });
    const url = await listen(made);
    const begun = once(events, 'begun');
    const closed = once(events, 'closed');

    // A body in two parts, the second long after the handler has returned.
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na');
    await begun;
    socket.write('b');
    await closed;

    expect(heard).toEqual({ data: true, end: true, 'req close': true, finish: true, 'res close': true });
  });

  it('keeps apart the requests of one connection', async () => {
    const made = express().use(requestContext({ trustRequestId: true }));
    made.post('/', (req, res) => {
      req.resume().on('end', () => res.send(currentRequest()?.id));
    });
    const { hostname, port } = new URL(await listen(made));
    const socket = connect(Number(port), hostname).setEncoding('utf8');
    const message = (id: string, more: string): string =>
      `POST / HTTP/1.1\r\nHost: x\r\n${more}X-Request-ID: ${id}\r\nContent-Length: 1\r\n\r\nx`;
    socket.end(message('first', '') + message('second', 'Connection: close\r\n'));
    let answer = '';
    for await (const chunk of socket) answer += chunk;

    expect(answer.match(/(?<=\r\n\r\n)(first|second)/g)).toEqual(['first', 'second']);
  });

  it('finds the request in a router, in a mounted app, and in the error handler', async () => {
    const found: unknown[] = [];
    const made = express().use(requestContext());
    const router = Router().use((_req, _res, next) => {
      found.push(currentRequest()?.id);
      next();
    });
    const mounted = express().get('/x', () => {
      found.push(currentRequest()?.id);
      throw new Error('broken');
    });
    made.use('/mounted', router, mounted);
    made.use((_error: unknown, req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.json([req.id, currentRequest()?.id]);
    });

    const [id, inHandler] = (await (await fetch(`${await listen(made)}/mounted/x`)).json()) as unknown[];
    expect([...found, inHandler]).toEqual([id, id, id]);
  });

  it('works when mounted in a mounted app, also for what comes after it', async () => {
    const made = express();
    made.use('/mounted', express().use(requestContext()));
    made.get('/mounted/x', (req, res) => {
      res.json([req.id === currentRequest()?.id, req.trace.traceId.length, req.signal.aborted]);
    });

    expect(await (await fetch(`${await listen(made)}/mounted/x`)).json()).toEqual([true, 32, false]);
  });
});

describe('requestContext: req.signal', () => {
  it('is aborted when the client goes away', async () => {
    const events = new EventEmitter();
    const made = express().use(requestContext());
    made.get('/', (req) => {
      req.signal.addEventListener('abort', () =>
        events.emit('aborted', req.signal.reason, currentRequest()?.signal),
      );
      events.emit('arrived');
    });
    const url = await listen(made);
    const arrived = once(events, 'arrived');
    const aborted = once(events, 'aborted');
    const control = new AbortController();
    const answer = fetch(url, { signal: control.signal });
    await arrived;
    control.abort();

    await expect(answer).rejects.toThrow();
    const [reason, signal] = await aborted;
    expect(reason).toMatchObject({ name: 'RequestAbortedError', status: 499, code: 'client_closed_request' });
    expect(signal).toMatchObject({ aborted: true, reason });
  });

  it('is aborted already for those who ask after the client has gone', async () => {
    const events = new EventEmitter();
    const made = express().use(requestContext());
    made.get('/', (req, res) => {
      res.on('close', () => setImmediate(() => events.emit('closed', req.signal)));
      events.emit('arrived');
    });
    const url = await listen(made);
    const arrived = once(events, 'arrived');
    const closed = once(events, 'closed');
    const control = new AbortController();
    const answer = fetch(url, { signal: control.signal });
    await arrived;
    control.abort();

    await expect(answer).rejects.toThrow();
    const [signal] = (await closed) as [AbortSignal];
    expect(signal.reason).toMatchObject({ name: 'RequestAbortedError' });
  });

  it('is not aborted by an answer', async () => {
    const events = new EventEmitter();
    const made = express().use(requestContext());
    made.get('/', (req, res) => {
      const { signal } = req;
      res.on('close', () => setImmediate(() => events.emit('closed', signal)));
      res.send('done');
    });
    const closed = once(events, 'closed');
    await (await fetch(await listen(made))).text();

    const [signal] = (await closed) as [AbortSignal];
    expect(signal.aborted).toBe(false);
  });

  it('can be replaced by assigning, as any property', async () => {
    const made = express().use(requestContext());
    made.get('/', (req, res) => {
      Object.assign(req, { signal: AbortSignal.abort('mine') });
      res.json(req.signal.reason);
    });

    expect(await (await fetch(await listen(made))).json()).toBe('mine');
  });
});
