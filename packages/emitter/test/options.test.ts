import { connectRedis } from '@signalbox/redis';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import {
  externalEmitter,
  pythonEvents,
  type EmitReceipt,
  type ExternalEmitter,
  type ExternalEmitterOptions,
  type StandardEvents,
} from '../src/index.js';

/** To where nobody is, for what is decided before anything is sent. */
function nowhere() {
  const link = connectRedis('redis://127.0.0.1:1');
  onTestFinished(() => link.close());
  return link;
}

interface Events extends StandardEvents {
  invoice_paid: { id: string; cents: number };
  tick: undefined;
  /** As in socket.io's own `ServerToClientEvents`. */
  moved: (x: number, y: number) => void;
}

function typedEmitter(): ExternalEmitter<Events> {
  const emitter = externalEmitter<Events>({ redis: nowhere() });
  onTestFinished(() => emitter.close());
  return emitter;
}

describe('the options of externalEmitter', () => {
  it.each<[string, Partial<Record<keyof ExternalEmitterOptions, unknown>> & Record<string, unknown>, string]>(
    [
      ['no Redis', { redis: undefined }, 'externalEmitter: "redis" must be an object, got undefined'],
      [
        'a URL for a Redis',
        { redis: 'redis://u:secret@h' },
        'externalEmitter: "redis" must be an object, got "redis://***@h"',
      ],
      [
        'something else for a Redis',
        { redis: {} },
        'redisLink: "source" must be a RedisLink or an ioredis client, got an object',
      ],
      [
        'a slip of the pen',
        { namespce: '/x' },
        'externalEmitter: "namespce" is not an option; did you mean "namespace"?',
      ],
      [
        'no name for a namespace',
        { namespace: '' },
        'externalEmitter: "namespace" must be a non-empty string, got ""',
      ],
      ['no key', { key: 7 }, 'externalEmitter: "key" must be a non-empty string, got 7'],
      [
        'no time at all',
        { deadlineMs: 0 },
        'externalEmitter: "deadlineMs" must be an integer from 1 to 2147483647, got 0',
      ],
      [
        'no size',
        { maxEventBytes: 1.5 },
        'externalEmitter: "maxEventBytes" must be an integer of at least 1, got 1.5',
      ],
      ['no prefix', { prefix: '' }, 'externalEmitter: "prefix" must be a non-empty string, got ""'],
      ['a queue that is none', { queue: true }, 'externalEmitter: "queue" must be an object, got true'],
      [
        'an unknown bound',
        { queue: { max: 5 } },
        'externalEmitter: "queue": "max" is not an option; there are maxEvents, maxBytes, maxAgeMs, settleMs',
      ],
      [
        'a queue without room',
        { queue: { maxEvents: 0 } },
        'externalEmitter: "queue.maxEvents" must be an integer from 1 to 1000000, got 0',
      ],
      [
        'a queue without bytes',
        { queue: { maxBytes: -1 } },
        'externalEmitter: "queue.maxBytes" must be an integer of at least 1, got -1',
      ],
      [
        'an age that is none',
        { queue: { maxAgeMs: Number.NaN } },
        'externalEmitter: "queue.maxAgeMs" must be an integer from 1 to 2147483647, got NaN',
      ],
    ],
  )('refuse %s', (_what, wrong, words) => {
    const options = { redis: nowhere(), ...wrong } as ExternalEmitterOptions;
    expect(() => externalEmitter(options)).toThrow(new TypeError(words));
  });

  it('are not written to', () => {
    const queue = Object.freeze({ maxEvents: 5 });
    const options = Object.freeze({ redis: nowhere(), queue });
    const emitter = externalEmitter(options);
    onTestFinished(() => emitter.close());
    expect(options).toEqual({ redis: options.redis, queue: { maxEvents: 5 } });
  });
});

describe('wrong arguments', () => {
  it.each<[string, (emitter: ExternalEmitter) => Promise<unknown>, string]>([
    // Nobody is not everybody, as it is to socket.io.
    [
      'no room',
      (e) => e.emit([], 'x'),
      'emit: "rooms" must be the name of a room, or a list of some, got an array',
    ],
    [
      'a room without a name',
      (e) => e.emit('', 'x'),
      'emit: "rooms" must be the name of a room, or a list of some, got ""',
    ],
    [
      'a room that is undefined',
      (e) => e.emit(undefined as never, 'x'),
      'emit: "rooms" must be the name of a room, or a list of some, got undefined',
    ],
    ['such a room among others', (e) => e.emit(['a', ''], 'x'), 'emit: "rooms" must be the name of a room'],
    [
      'no event',
      (e) => e.emit('r', ''),
      'emit: "event" must be a name that is not empty, and none of socket.io\'s own, got ""',
    ],
    ["an event of socket.io's own", (e) => e.emit('r', 'disconnect'), 'got "disconnect"'],
    ['an event that is no text', (e) => e.toAll().emit(Symbol('x') as never), 'got Symbol(x)'],
    ['nowhere to join', (e) => e.joinSockets('r', []), 'joinSockets: "into" must be the name of a room'],
    ['nobody to leave', (e) => e.leaveSockets([], 'r'), 'leaveSockets: "rooms" must be the name of a room'],
    [
      'nowhere to leave',
      (e) => e.toAll().leaveSockets(''),
      'leaveSockets: "rooms" must be the name of a room',
    ],
    [
      'nobody to disconnect',
      (e) => e.disconnectSockets([]),
      'disconnectSockets: "rooms" must be the name of a room',
    ],
    [
      'a way to disconnect that is none',
      (e) => e.disconnectSockets('r', { close: 1 as never }),
      'disconnectSockets: "close" must be true or false, got 1',
    ],
    [
      'an unknown status',
      (e) => e.emitSearchStatus('q', 'done' as never),
      'emitSearchStatus: "status" must be "started" or "progress" or "complete" or "failed", got "done"',
    ],
    [
      'a query that is none',
      (e) => e.emitSearchStatus(1 as never, 'failed'),
      'emitSearchStatus: "query" must be a string, got a number',
    ],
    [
      'half a result',
      (e) => e.emitSearchStatus('q', 'progress', { resultsCount: 0.5 }),
      'emitSearchStatus: "resultsCount" must be an integer of at least 0, got 0.5',
    ],
    [
      'more than all',
      (e) => e.emitSearchStatus('q', 'progress', { progress: 1.01 }),
      'emitSearchStatus: "progress" must be a number from 0 to 1, got 1.01',
    ],
    [
      'a stage without a name',
      (e) => e.emitSearchStatus('q', 'progress', { stage: ' ' }),
      'emitSearchStatus: "stage" must be a non-empty string',
    ],
    [
      'an unknown level',
      (e) => e.emitSystemAlert('fatal' as never, 'm'),
      'emitSystemAlert: "level" must be "info" or "warning" or "error" or "critical", got "fatal"',
    ],
    [
      'an alert without words',
      (e) => e.emitSystemAlert('info', ' '),
      'emitSystemAlert: "message" must be a non-empty string',
    ],
    [
      'no room for an alert',
      (e) => e.emitSystemAlert('info', 'm', { room: [] }),
      'emitSystemAlert: "room" must be the name of a room',
    ],
    ['a time to wait that is none', (e) => e.flush(0), 'flush: "timeoutMs" must be an integer from 1'],
  ])('%s rejects, and throws nothing', async (_what, call, words) => {
    const emitter = externalEmitter({ redis: nowhere() });
    onTestFinished(() => emitter.close());
    const called = call(emitter);
    await expect(called).rejects.toThrow(TypeError);
    await expect(called).rejects.toThrow(words);
  });

  it('in a chain throw at once', () => {
    const emitter = typedEmitter();
    expect(() => emitter.to([])).toThrow('to: "rooms" must be the name of a room');
    expect(() => emitter.toAll().except('')).toThrow('except: "rooms" must be the name of a room');
    expect(() => emitter.of('')).toThrow('of: "namespace" must be a non-empty string');
  });
});

describe('the type of the events', () => {
  /** Compiled, and not run. */
  const compiles = (_code: () => unknown): void => undefined;

  it('gives each event its payload', () => {
    const emitter = typedEmitter();
    compiles(() => emitter.emit('r', 'invoice_paid', { id: '1', cents: 5 }));
    compiles(() =>
      emitter.to('r').volatile.emit('system_alert', { level: 'info', message: '', timestamp: '' }),
    );
    compiles(() => emitter.toAll().emit('tick'));
    compiles(() => emitter.emit('r', 'moved', 1, 2));
    expectTypeOf(emitter.emit('r', 'tick').catch(() => undefined)).resolves.toEqualTypeOf<
      EmitReceipt | undefined
    >();
  });

  it('refuses unknown events and wrong payloads where the program is compiled', () => {
    const emitter = typedEmitter();
    // @ts-expect-error: there is no such event
    compiles(() => emitter.emit('r', 'invoice_payed', { id: '1', cents: 5 }));
    // @ts-expect-error: there is no such event
    compiles(() => emitter.to('r').except('q').emit('nonsense'));
    // @ts-expect-error: a number is missing
    compiles(() => emitter.emit('r', 'invoice_paid', { id: '1' }));
    // @ts-expect-error: the payload is missing
    compiles(() => emitter.emit('r', 'invoice_paid'));
    // @ts-expect-error: it takes no payload
    compiles(() => emitter.emit('r', 'tick', 1));
    // @ts-expect-error: a second number is missing
    compiles(() => emitter.emit('r', 'moved', 1));
    // @ts-expect-error: not a level
    compiles(() => emitter.emitSystemAlert('fatal', 'x'));
  });

  it('may differ by namespace, or be left open', () => {
    const emitter = typedEmitter();
    const admin = emitter.of<{ reload: { worker: number } }>('/admin');
    compiles(() => admin.emit('r', 'reload', { worker: 1 }));
    // @ts-expect-error: that is an event of the other namespace
    compiles(() => admin.emit('r', 'tick'));
    const open = externalEmitter({ redis: nowhere() });
    onTestFinished(() => open.close());
    compiles(() => open.emit('r', 'whatever', 1, { two: 2 }));
  });

  it('takes clients and servers as their libraries type them', () => {
    compiles(() => externalEmitter({ redis: new Redis() }));
    compiles(() => pythonEvents(new Server(), { redis: new Redis() }));
    compiles(() =>
      pythonEvents(new Server<{ hello: () => void }, { moved: Events['moved'] }>(), { redis: nowhere() }),
    );
  });
});
