import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { currentRequest, remainingMs } from '@signalbox/context';
import { ConflictError } from '@signalbox/errors';
import { eventually } from '../../../test/support/eventually.js';
import { eventTypes } from '../src/index.js';
import { ask, byName, enter, everything, heard, open, refusalOf, refused } from './stage.js';

describe('events', () => {
  it('reach their handler with what the schema made of the payload, and who sent it', async () => {
    const { url } = await open({
      authenticate: byName,
      emits: eventTypes<{ answer: { to: string } }>(),
      events: {
        search: {
          schema: z.object({ q: z.string().trim(), page: z.number().default(1) }),
          async handler({ q, page }, { principal, emit }) {
            emit('answer', { to: principal.subject });
            return { q, page };
          },
        },
        ping: { handler: () => undefined },
      },
    });
    const socket = await enter(url, { auth: { token: 'ada' } });
    const told = heard(socket, 'answer');
    expect(await ask(socket, 'search', { q: ' a ' })).toEqual({ q: 'a', page: 1 });
    expect(await told).toEqual({ to: 'ada' });
    expect(await ask(socket, 'ping')).toEqual({});
  });

  it('are refused with the fields that are wrong, and none of the values', async () => {
    const { url } = await open({
      anonymous: true,
      events: { search: { schema: z.object({ q: z.string().max(10) }), handler: () => 'found' } },
    });
    const socket = await enter(url);
    for (const payload of [undefined, null, 'text', {}, { q: 7 }, { q: 'secret words' }]) {
      const error = await refused(socket, 'search', payload);
      expect(error).toMatchObject({ code: 422, type: 'validation_failed' });
      expect(error.message).toMatch(/^The payload is not valid: /);
      expect(JSON.stringify(error)).not.toContain('secret');
    }
    expect((await refused(socket, 'search', { q: 'a' }, { q: 'b' })).type).toBe('bad_event');
    // Where no acknowledgement was asked for, it comes as an event.
    const told = heard<{ event: string; error: { type: string } }>(socket, 'error');
    socket.emit('search', {});
    expect(await told).toMatchObject({ event: 'search', error: { type: 'validation_failed' } });
  });

  it('are held to the bounds of request bodies', async () => {
    const { url } = await open({
      anonymous: true,
      events: { any: { schema: z.unknown(), handler: () => 'taken' } },
    });
    const socket = await enter(url);
    let deep: unknown = 1;
    for (let level = 0; level < 100; level += 1) deep = { deep };
    expect((await refused(socket, 'any', deep)).code).toBe(422);
    expect((await refused(socket, 'any', JSON.parse('{"__proto__": {"admin": true}}'))).code).toBe(422);
    expect(await ask(socket, 'any', { fine: true })).toBe('taken');
  });

  it.for(['__proto__', 'constructor', 'toString', 'error', 'searching', ''])(
    'that nobody declared are refused: "%s"',
    async (name) => {
      const { url } = await open({ anonymous: true, events: { search: { handler: () => 1 } } });
      const socket = await enter(url);
      expect(await refused(socket, name)).toMatchObject({ code: 404, type: 'unknown_event' });
      expect(socket.connected).toBe(true);
    },
  );

  it('that the app hears through Socket.IO itself are its own', async () => {
    const { url, live } = await open({ anonymous: true });
    live.io.on('connection', (socket) => socket.on('raw', (a, b, done) => done([b, a])));
    expect(await ask(await enter(url), 'raw', 1, 2)).toEqual([2, 1]);
  });

  it('have limits of their own for each subject', async () => {
    const { url } = await open({
      authenticate: byName,
      anonymous: true,
      events: { search: { limit: '2/h', handler: () => 'found' } },
    });
    const first = await enter(url, { auth: { token: 'ada' } });
    const second = await enter(url, { auth: { token: 'ada' } });
    const other = await enter(url, { auth: { token: 'bob' } });
    expect(await ask(first, 'search')).toBe('found');
    expect(await ask(second, 'search')).toBe('found');
    expect(await refused(second, 'search')).toMatchObject({
      code: 429,
      type: 'rate_limited',
      details: { event: 'search', limit: 2, windowSeconds: 3600, retryAfterSeconds: 1800 },
    });
    expect(await ask(other, 'search')).toBe('found');
    for (const socket of [await enter(url), await enter(url)])
      expect(await ask(socket, 'search')).toBe('found');
  });

  it('ask the limits of the app', async () => {
    const { url } = await open({
      authenticate: byName,
      events: { search: { handler: () => 'found' } },
      limit({ subject }, event) {
        if (event === 'search' && subject === 'eve') {
          throw Object.assign(new Error('Too many'), { status: 429, code: 'rate_limited' });
        }
      },
    });
    expect(await ask(await enter(url, { auth: { token: 'ada' } }), 'search')).toBe('found');
    expect((await refused(await enter(url, { auth: { token: 'eve' } }), 'search')).type).toBe('rate_limited');
  });

  it('are refused by a limit that says so, as that of the package for limits does', async () => {
    const { url } = await open({
      authenticate: byName,
      events: { search: { handler: () => 'found' } },
      limit: async ({ subject }, event) => ({
        allowed: subject === 'ada' || (subject === 'bob' && event === 'connect'),
        retryAfterSeconds: 7,
      }),
    });
    expect(await ask(await enter(url, { auth: { token: 'ada' } }), 'search')).toBe('found');
    expect(await refused(await enter(url, { auth: { token: 'bob' } }), 'search')).toMatchObject({
      code: 429,
      type: 'rate_limited',
      details: { event: 'search', retryAfterSeconds: 7 },
    });
    expect(await refusalOf(url, { auth: { token: 'eve' } })).toMatchObject({ type: 'rate_limited' });
  });

  it('tell what a handler throws as over HTTP, and log what is the fault of the app', async () => {
    const logged: { fields: Record<string, unknown>; message: string }[] = [];
    const { url } = await open({
      anonymous: true,
      events: {
        conflict: { handler: () => Promise.reject(new ConflictError('Taken', { code: 'taken' })) },
        bug: {
          handler() {
            throw new Error('secret words');
          },
        },
      },
      log: { error: (fields, message) => logged.push({ fields: { ...fields }, message }) },
    });
    const socket = await enter(url);
    expect(await refused(socket, 'conflict')).toMatchObject({ code: 409, type: 'taken', message: 'Taken' });
    expect(logged).toEqual([]);
    const error = await refused(socket, 'bug');
    expect(error).toMatchObject({ code: 500, message: 'Internal Server Error' });
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({
      message: 'Socket event failed',
      fields: { event: 'bug', requestId: error.requestId },
    });
  });

  it('tell of a fault of the app where what a handler throws cannot be told', async () => {
    const { url } = await open({
      anonymous: true,
      events: {
        wrong: { handler: () => Promise.reject(new ConflictError('Taken', { details: { id: 17n } })) },
      },
      limit(_principal, event, { handshake }) {
        if (event === 'connect' && handshake.auth['wrong'] === true) {
          throw new ConflictError('Taken', { details: { id: 17n } });
        }
      },
      log: { error: () => undefined },
    });
    expect(await refusalOf(url, { auth: { wrong: true } })).toMatchObject({ code: 500 });
    const socket = await enter(url);
    expect(await refused(socket, 'wrong')).toMatchObject({ code: 500 });
    const told = heard<{ error: { code: number } }>(socket, 'error');
    socket.emit('wrong');
    expect((await told).error.code).toBe(500);
  });

  it('run in a context of their own, with a time and the trace of the handshake', async () => {
    const { url } = await open({
      authenticate: byName,
      events: {
        where: {
          timeoutMs: 5_000,
          async handler(_payload, { requestId }) {
            await new Promise(setImmediate);
            const scope = currentRequest();
            return {
              same: scope?.id === requestId,
              user: scope?.facts.userId,
              trace: scope?.trace.traceId,
              leftMs: (scope?.deadline ?? 0) - performance.now(),
            };
          },
        },
      },
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const socket = await enter(url, { auth: { token: 'ada' }, extraHeaders: { traceparent } });
    const where = await ask<{ leftMs: number }>(socket, 'where');
    expect(where).toMatchObject({ same: true, user: 'ada', trace: '0af7651916cd43dd8448eb211c80319c' });
    expect(where.leftMs).toBeGreaterThan(0);
    expect(where.leftMs).toBeLessThanOrEqual(5_000);
  });

  it('are answered when their time is up, and their handler is told', async () => {
    let reason: unknown;
    const { url } = await open({
      anonymous: true,
      events: {
        slow: {
          timeoutMs: 100,
          handler: (_payload, { signal }) =>
            new Promise(() => signal.addEventListener('abort', () => (reason = signal.reason))),
        },
      },
      log: { error: () => undefined },
    });
    expect(await refused(await enter(url), 'slow')).toMatchObject({ code: 504, type: 'deadline_exceeded' });
    expect(reason).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('have no time any more for what goes on after they were answered', async () => {
    let leftMs: number | undefined;
    const { url } = await open({
      anonymous: true,
      events: {
        quick: {
          timeoutMs: 100,
          handler() {
            setTimeout(() => (leftMs = remainingMs()), 150);
            return 'begun';
          },
        },
      },
    });
    expect(await ask(await enter(url), 'quick')).toBe('begun');
    await eventually(() => leftMs !== undefined);
    expect(leftMs).toBe(Infinity);
  });

  it('give up all that is done for them when the socket goes', async () => {
    const warned: Error[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    let given = 0;
    const { url } = await open({
      anonymous: true,
      events: {
        slow: {
          handler() {
            // As a query of Postgres or a request to an upstream listens.
            const signal = currentRequest()?.signal;
            for (let index = 0; index < 20; index += 1) signal?.addEventListener('abort', () => (given += 1));
            return new Promise(() => undefined);
          },
        },
        ready: { handler: () => 'yes' },
      },
    });
    const socket = await enter(url);
    socket.emit('slow');
    await ask(socket, 'ready');
    socket.disconnect();
    await eventually(() => given === 20);
    expect(warned).toEqual([]);
  });

  it('are given up when the socket goes', async () => {
    let isAborted = false;
    const { url } = await open({
      anonymous: true,
      events: {
        slow: {
          handler: (_payload, { signal }) =>
            new Promise((resolve) =>
              signal.addEventListener('abort', () => {
                isAborted = true;
                resolve(undefined);
              }),
            ),
        },
        ready: { handler: () => 'yes' },
      },
    });
    const socket = await enter(url);
    socket.emit('slow');
    await ask(socket, 'ready');
    socket.disconnect();
    await eventually(() => isAborted);
  });

  it('are so many at a time', async () => {
    const waiting: (() => void)[] = [];
    const { url } = await open({
      anonymous: true,
      maxInFlight: 2,
      events: {
        slow: { handler: () => new Promise<string>((resolve) => waiting.push(() => resolve('done'))) },
      },
    });
    const socket = await enter(url);
    const answers = [ask(socket, 'slow'), ask(socket, 'slow')];
    expect((await refused(socket, 'slow')).type).toBe('too_many_in_flight');
    waiting.forEach((finish) => finish());
    expect(await Promise.all(answers)).toEqual(['done', 'done']);
    const all = everything(socket);
    const again = ask(socket, 'slow');
    await eventually(() => waiting.length === 3);
    waiting[2]?.();
    expect(await again).toBe('done');
    expect(all).toEqual([]);
  });

  it('carry bytes', async () => {
    const { url } = await open({
      anonymous: true,
      events: {
        bytes: { schema: z.instanceof(Buffer), handler: (bytes) => Buffer.from(bytes.toReversed()) },
      },
    });
    expect(await ask(await enter(url), 'bytes', Buffer.from([1, 2, 3]))).toEqual(Buffer.from([3, 2, 1]));
  });
});
