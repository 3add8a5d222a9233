import { EventEmitter, once } from 'node:events';
import { get, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertNeverHangs, listen } from '@signalbox/testing';
import express, { Router, type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { currentRequest, deadline, facts, remainingMs, requestContext } from '../src/index.js';

interface Answer {
  code: string | undefined;
  details: unknown;
  message: string;
  id: string | undefined;
}

const answerErrors: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) {
    next(error);
    return;
  }
  res.status(error.status ?? 500).json({
    code: error.code,
    details: error.details,
    message: error.message,
    id: currentRequest()?.id,
  });
};

/** An app of which every route has the deadline. */
function app(limit: RequestHandler, handler: RequestHandler): Express {
  return express().use(requestContext(), limit).all('/', handler).use(answerErrors);
}

const never: RequestHandler = () => undefined;

describe('deadline', () => {
  it('answers 504 deadline_exceeded when the handler does not', async () => {
    const url = await listen(app(deadline(30), never));
    const response = await assertNeverHangs(url);

    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({
      code: 'deadline_exceeded',
      message: 'The request took longer than 30 ms',
      details: { deadlineMs: 30 },
    });
  });

  it('names the phase that the request was in', async () => {
    const handler: RequestHandler = (req) => {
      facts(req).phase = 'asking the search engine';
    };
    const response = await assertNeverHangs(await listen(app(deadline(20), handler)));
    const { message, details } = (await response.json()) as Answer;

    expect(message).toBe('The request took longer than 20 ms (asking the search engine)');
    expect(details).toEqual({ phase: 'asking the search engine', deadlineMs: 20 });
  });

  it('tells the error handler which request it was, and the log line that it timed out', async () => {
    const events = new EventEmitter();
    const made = app(deadline(20), (req, res) => {
      res.on('finish', () => events.emit('finished', facts(req).timedOut));
    });
    const finished = once(events, 'finished');
    const response = await assertNeverHangs(await listen(made));

    const { id } = (await response.json()) as Answer;
    expect(id).toBe(response.headers.get('x-request-id'));
    expect(await finished).toEqual([true]);
  });

  it('works without requestContext()', async () => {
    const made = express().use(deadline(20)).get('/', never).use(answerErrors);

    expect((await assertNeverHangs(await listen(made))).status).toBe(504);
  });

  it('answers 504 through Express where the app has no error handler', async () => {
    const made = express().set('env', 'test').get('/', deadline(20), never);

    expect((await assertNeverHangs(await listen(made))).status).toBe(504);
  });

  it('leaves a request alone that is answered in time', async () => {
    const events = new EventEmitter();
    const made = app(deadline(25), (req, res) => {
      const { signal } = req;
      // When the time would have been up.
      res.on('finish', () => setTimeout(() => events.emit('later', signal.aborted, facts(req).timedOut), 60));
      res.send('in time');
    });
    const later = once(events, 'later');
    const response = await fetch(await listen(made));

    expect(await response.text()).toBe('in time');
    expect(await later).toEqual([false, undefined]);
  });

  it('tells on req.deadline and by remainingMs when the time is up', async () => {
    const made = app(deadline(5_000), (req, res) => {
      res.json([
        (req.deadline ?? 0) - performance.now(),
        remainingMs(),
        currentRequest()?.deadline === req.deadline,
      ]);
    });
    const [left, remaining, same] = (await (await fetch(await listen(made))).json()) as [
      number,
      number,
      boolean,
    ];

    expect(left).toBeGreaterThan(4_000);
    expect(left).toBeLessThanOrEqual(5_000);
    expect(remaining).toBeLessThanOrEqual(left);
    expect(same).toBe(true);
  });

  it('leaves req.deadline undefined where there is none', async () => {
    const made = express().use(requestContext());
    made.get('/', (req, res) => {
      res.json([req.deadline === undefined, remainingMs() === Infinity]);
    });

    expect(await (await fetch(await listen(made))).json()).toEqual([true, true]);
  });

  it('aborts req.signal, and with it what the request was waiting for', async () => {
    const upstream = await listen(() => undefined);
    const events = new EventEmitter();
    const made = app(deadline(30), async (req, res) => {
      const failure: unknown = await fetch(upstream, { signal: req.signal }).catch((error: unknown) => error);
      events.emit('failed', failure, req.signal.reason);
      res.send('too late');
    });
    const failed = once(events, 'failed');
    const response = await assertNeverHangs(await listen(made));
    const [failure, reason] = await failed;

    expect(response.status).toBe(504);
    expect(failure).toMatchObject({ name: 'DeadlineExceededError', code: 'deadline_exceeded', status: 504 });
    expect(reason).toBe(failure);
  });

  it('has aborted the signal of those who ask for it later', async () => {
    const events = new EventEmitter();
    const made = app(deadline(20), async (req, res) => {
      await once(res, 'close');
      events.emit('later', req.signal.reason);
    });
    const later = once(events, 'later');
    await assertNeverHangs(await listen(made));

    expect(await later).toEqual([expect.objectContaining({ name: 'DeadlineExceededError' })]);
  });

  it.each([
    ['inner', 10_000, 20],
    ['outer', 20, 10_000],
  ])('holds to the earliest of several, here the %s one', async (_which, outer, inner) => {
    const made = express().use(requestContext(), deadline(outer));
    made.use('/a', deadline(60_000), Router().get('/b', deadline(inner), never)).use(answerErrors);
    const response = await assertNeverHangs(`${await listen(made)}/a/b`);

    expect(((await response.json()) as Answer).details).toMatchObject({ deadlineMs: 20 });
  });

  it("goes to the innermost router's own error handler first", async () => {
    const inner = Router().get('/x', never);
    inner.use(((error, _req, res, _next) => {
      res.status(error.status).send('inner');
    }) satisfies ErrorRequestHandler);
    const made = express().use(deadline(20)).use('/in', inner).use(answerErrors);
    const response = await assertNeverHangs(`${await listen(made)}/in/x`);

    expect(response.status).toBe(504);
    expect(await response.text()).toBe('inner');
  });

  it('destroys the connection where headers were sent, and tells the error handler once', async () => {
    const heard: unknown[] = [];
    const made = express().set('env', 'test').use(deadline(40));
    made.get('/', (_req, res) => void res.write('begun'));
    made.use(((error, _req, _res, next) => {
      heard.push(error.code);
      next(error);
    }) satisfies ErrorRequestHandler);
    const [response] = (await once(get(await listen(made)), 'response')) as [IncomingMessage];
    let body = '';
    response.on('data', (chunk) => (body += chunk));
    const [error] = await once(response, 'error');

    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(body).toBe('begun');
    expect(heard).toEqual(['deadline_exceeded']);
  });

  it('destroys the connection also where the error handler does nothing', async () => {
    const made = express().use(deadline(20));
    made.get('/', (_req, res) => void res.write('begun'));
    made.use(((_error, _req, _res, _next) => undefined) satisfies ErrorRequestHandler);
    const [response] = (await once(get(await listen(made)), 'response')) as [IncomingMessage];
    const failed = once(response.resume(), 'error');

    expect(await failed).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
  });

  it('aborts the signal of a stream as what it is: too late', async () => {
    const events = new EventEmitter();
    const made = app(deadline(20), (req, res) => {
      req.signal.addEventListener('abort', () => events.emit('aborted', req.signal.reason));
      res.write('begun');
    }).set('env', 'test');
    const aborted = once(events, 'aborted');
    await expect((await fetch(await listen(made))).text()).rejects.toThrow();

    expect(await aborted).toEqual([expect.objectContaining({ name: 'DeadlineExceededError' })]);
  });

  it('aborts the signal also where the error handler never answers', async () => {
    const events = new EventEmitter();
    const made = express().use(deadline(20));
    made.get('/', (req) => {
      req.signal.addEventListener('abort', () => events.emit('aborted', req.signal.reason));
    });
    made.use(((_error, _req, _res, _next) => undefined) satisfies ErrorRequestHandler);
    const aborted = once(events, 'aborted');
    const control = new AbortController();
    const answer = fetch(await listen(made), { signal: control.signal });

    expect(await aborted).toEqual([expect.objectContaining({ name: 'DeadlineExceededError' })]);
    control.abort();
    await expect(answer).rejects.toThrow();
  });

  it('lets a stream that has begun go on, where only its headers have a deadline', async () => {
    const made = app(deadline(25, { until: 'headers' }), async (req, res) => {
      res.write('begun ');
      // Longer than the headers may take.
      await sleep(60);
      res.end(`ended ${req.signal.aborted}`);
    });
    const response = await fetch(await listen(made));

    expect(await response.text()).toBe('begun ended false');
  });

  it('leaves the calls of a stream that has begun as much time as the stream has', async () => {
    const made = app(deadline(25, { until: 'headers' }), async (req, res) => {
      const before = [req.deadline !== undefined, remainingMs() <= 25];
      res.write('[');
      await sleep(60);
      res.end(
        `${JSON.stringify(before)}, ${JSON.stringify([req.deadline === undefined, remainingMs() === Infinity])}]`,
      );
    });

    expect(await (await fetch(await listen(made))).json()).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  it('holds a handler to the headers, where only they have a deadline', async () => {
    const made = app(deadline(20, { until: 'headers' }), never);

    expect((await assertNeverHangs(await listen(made))).status).toBe(504);
  });

  it('leaves what goes on after an answer in time as much time as it takes', async () => {
    const events = new EventEmitter();
    const late = once(events, 'late');
    const made = app(deadline(25), async (req, res) => {
      res.end('in time');
      await sleep(60);
      events.emit('late', req.deadline, remainingMs());
    });
    expect(await (await fetch(await listen(made))).text()).toBe('in time');

    expect(await late).toEqual([undefined, Infinity]);
  });

  it('gives what goes on after its time no time', async () => {
    const events = new EventEmitter();
    const late = once(events, 'late');
    const made = app(deadline(25), async () => {
      await sleep(60);
      events.emit('late', remainingMs());
    });
    expect((await fetch(await listen(made))).status).toBe(504);

    expect(await late).toEqual([0]);
  });

  it.for(['before', 'after'] as const)(
    'ends a stream with the whole in time, where its headers have a deadline set %s',
    async (order) => {
      const limits = [deadline(20, { until: 'headers' }), deadline(60)];
      const events = new EventEmitter();
      const made = express()
        .set('env', 'test')
        .use(requestContext(), order === 'before' ? limits : limits.toReversed());
      made.get('/', (req, res) => {
        const before = remainingMs();
        res.write('begun');
        const left = remainingMs();
        req.signal.addEventListener('abort', () => events.emit('aborted', before, left));
      });
      const aborted = once(events, 'aborted');
      await expect((await fetch(await listen(made))).text()).rejects.toThrow();
      const [before, left] = await aborted;

      expect(before).toBeLessThanOrEqual(20);
      expect(left).toBeGreaterThan(20);
      expect(left).toBeLessThanOrEqual(60);
    },
  );

  it('leaves a slow reader alone whose answer is complete', async () => {
    const size = 20 * 2 ** 20;
    const events = new EventEmitter();
    const made = app(deadline(30), (_req, res) => {
      res.end(Buffer.alloc(size));
      setTimeout(() => events.emit('expired'), 80);
    });
    const expired = once(events, 'expired');
    const [response] = (await once(get(await listen(made)), 'response')) as [IncomingMessage];
    await expired;
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;

    expect(bytes).toBe(size);
  });

  it('is over when the client goes away: the signal tells why, and no error is made', async () => {
    const events = new EventEmitter();
    const heard: unknown[] = [];
    const made = express().use(deadline(300));
    made.get('/', (req, res) => {
      const { signal } = req;
      // When the time would have been up.
      res.on('close', () => setTimeout(() => events.emit('later', signal.reason), 330));
      events.emit('arrived');
    });
    made.use(((error, _req, _res, _next) => heard.push(error)) satisfies ErrorRequestHandler);
    const url = await listen(made);
    const arrived = once(events, 'arrived');
    const later = once(events, 'later');
    const control = new AbortController();
    const answer = fetch(url, { signal: control.signal });
    await arrived;
    control.abort();

    await expect(answer).rejects.toThrow();
    expect(await later).toEqual([expect.objectContaining({ name: 'RequestAbortedError' })]);
    expect(heard).toEqual([]);
  });

  it('is over as well where the answer waited behind another one on the connection', async () => {
    const heard: unknown[] = [];
    const waiting: IncomingMessage[] = [];
    const made = express().use(deadline(60));
    made.get('/', (req) => void waiting.push(req));
    made.use(((error, _req, _res, _next) => heard.push(error)) satisfies ErrorRequestHandler);
    const { hostname, port } = new URL(await listen(made));
    const socket = connect(Number(port), hostname);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    await expect.poll(() => waiting.length, { interval: 2 }).toBe(3);
    socket.destroy();
    await sleep(120);

    expect(heard).toEqual([]);
  });

  it('ends the connection of a request whose body has not arrived', async () => {
    const { hostname, port } = new URL(await listen(app(deadline(30), never)));
    const socket = connect(Number(port), hostname).setEncoding('utf8');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegun');
    let answer = '';
    await assertNeverHangs(async () => {
      for await (const chunk of socket) answer += chunk;
    });

    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
  });

  it('keeps the connection of a request whose body has arrived', async () => {
    const asked = request(await listen(app(deadline(30), never)), { method: 'POST' }).end('body');
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();

    expect(response.statusCode).toBe(504);
    expect(response.headers.connection).toBe('keep-alive');
  });

  it('waits for an error handler that answers later, though the handler gives up at once', async () => {
    const heard: unknown[] = [];
    const made = express().use(deadline(20));
    made.get('/', async (req) => {
      await sleep(10_000, undefined, { signal: req.signal });
    });
    made.use((async (error, _req, res, _next) => {
      heard.push(error.code);
      await sleep(5);
      res.status(error.status).send('later');
    }) satisfies ErrorRequestHandler);
    const response = await assertNeverHangs(await listen(made));

    expect(response.status).toBe(504);
    expect(heard).toEqual(['deadline_exceeded']);
  });

  it('keeps the status of the answer for the log, whatever the handler sets afterwards', async () => {
    const events = new EventEmitter();
    const made = app(deadline(20), (req, res) => {
      req.signal.addEventListener('abort', () => res.status(200));
      res.on('close', () => events.emit('closed', res.statusCode));
    });
    const closed = once(events, 'closed');
    await assertNeverHangs(await listen(made));

    expect(await closed).toEqual([504]);
  });

  it('still tells whose request it was', async () => {
    const events = new EventEmitter();
    const made = app(deadline(20), (req, res) => {
      res.on('close', () => events.emit('closed', req.ip, req.socket.remoteAddress, req.protocol));
    });
    const closed = once(events, 'closed');
    await assertNeverHangs(await listen(made));

    expect(await closed).toEqual(['127.0.0.1', '127.0.0.1', 'http']);
  });

  it('expires while a body is being parsed', async () => {
    const made = express().use(deadline(30), express.json()).post('/', never).use(answerErrors);
    const { hostname, port } = new URL(await listen(made));
    const socket = connect(Number(port), hostname).setEncoding('utf8');
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    let answer = '';
    await assertNeverHangs(async () => {
      for await (const chunk of socket) answer += chunk;
    });

    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 31, '5s', undefined])('refuses %s ms', (ms) => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => deadline(ms)).toThrow('deadline: "ms" must be a number from 1 to 2147483647, got');
  });

  it('refuses an unknown end', () => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => deadline(1, { until: 'body' })).toThrow(
      'deadline: "until" must be "end" or "headers", got body',
    );
  });

  it('refuses an option that there is not', () => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => deadline(1, { util: 'end' })).toThrow('deadline: "util" is no option; there is "until"');
  });
});
