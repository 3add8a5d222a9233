import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex, Readable } from 'node:stream';
import type { Request, Response } from 'express';

/** Swallows what is written, and is never full: it is a server that tells a response when its socket has drained. */
class Sink extends Duplex {
  constructor() {
    super({ writableHighWaterMark: Number.MAX_SAFE_INTEGER });
    // What breaks off, as an upstream does, is told to the handlers: as of a server's socket nobody else need hear of it.
    this.on('error', () => undefined);
  }

  /** What else handlers do with a connection, or a response does with its own: `res.setTimeout` for one. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    this.push(null);
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }
}

const METHODS = [
  'setHeader',
  'setHeaders',
  'appendHeader',
  'getHeader',
  'getHeaderNames',
  'getRawHeaderNames',
  'getHeaders',
  'hasHeader',
  'removeHeader',
  'flushHeaders',
  'writeHead',
  'write',
  'end',
  'destroy',
  'cork',
  'uncork',
  'addTrailers',
  'setTimeout',
  'writeContinue',
  'writeProcessing',
  'writeEarlyHints',
] as const;

/** These go on to the other one by themselves where a recorder hears them. */
const RECORDED: ReadonlySet<string> = new Set(['writeHead', 'write', 'end', 'flushHeaders']);

const LISTENING = ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const;
/**
 * What happens to a response. It is never full: of `drain` only those tell who wrapped it below, such as compression, by
 * an `on` of their own.
 */
const EVENTS = ['finish', 'close', 'error'] as const;
/** How a request says that it is over. */
const REQUEST_EVENTS = ['close', 'aborted'] as const;

const STATES = [
  'statusCode',
  'statusMessage',
  'headersSent',
  'finished',
  'writable',
  'writableEnded',
  'writableFinished',
  'writableLength',
  'writableHighWaterMark',
  'writableNeedDrain',
  'writableCorked',
  'closed',
  'destroyed',
  'errored',
] as const;

/** By these Node tells whether it may still write to a response. */
const OF_NODE: ReadonlySet<string> = new Set(['finished', 'destroyed']);
/** What those who look at a response that is through ask it for. */
const READING: ReadonlySet<string> = new Set([
  'getHeader',
  'getHeaderNames',
  'getRawHeaderNames',
  'getHeaders',
  'hasHeader',
]);

type Listening = ReadonlyMap<string, readonly unknown[]>;

/** Who listens to a request and its response. */
export interface Listeners {
  readonly req: Listening;
  readonly res: Listening;
}

export function listenersOf(req: Request, res: Response): Listeners {
  return { req: listening(req, REQUEST_EVENTS), res: listening(res, EVENTS) };
}

function listening(target: EventEmitter, events: readonly string[]): Listening {
  return new Map(events.map((event) => [event, target.rawListeners(event)]));
}

/** Who has begun to listen since then. */
export function listenersSince(then: Listeners, req: Request, res: Response): Listeners {
  return { req: listeningSince(then.req, req), res: listeningSince(then.res, res) };
}

function listeningSince(then: Listening, target: EventEmitter): Listening {
  return new Map(
    Array.from(then, ([event, known]) => [
      event,
      target.rawListeners(event).filter((each) => !known.includes(each)),
    ]),
  );
}

/**
 * Lets handlers go on with a response that has been answered already: what they do to it from now on happens to
 * another one, which nobody is at the end of. So a new answer can be made when nobody waits for it, by the very
 * handlers that stand behind the cache.
 *
 * @param below the handlers that listened before it was answered, where the response is not over yet: they hear of the
 *   other one, and all others still of it
 */
export function detached(req: Request, res: Response, below: Listeners | undefined): ServerResponse {
  const other = new ServerResponse(req);
  const sink: Duplex = new Sink();
  other.assignSocket(sink as Socket);
  // As a server closes a response that is through.
  other.on('finish', () => void sink.destroy());
  other.on('error', () => undefined);

  // Who stands above may still be sending what was answered, such as what it compresses.
  const first = below === undefined ? undefined : new FirstAnswer(res);
  if (below === undefined) {
    listenAnew(res, other);
    readAnew(req);
  } else {
    divertListeners(res, other, below.res);
    divertListeners(req, other, below.req);
  }
  for (const name of METHODS) {
    if (below !== undefined && RECORDED.has(name)) continue;
    const method: unknown = Reflect.get(res, name);
    own(res, name, {
      writable: true,
      value: (...args: unknown[]) =>
        first?.isHeard && READING.has(name) && typeof method === 'function'
          ? (Reflect.apply(method, res, args) as unknown)
          : forwarded(other, res, name, args),
    });
  }
  for (const name of STATES) {
    own(res, name, {
      get: () => (first?.tells(name) ? first.get(name) : Reflect.get(other, name)),
      // Node itself sets some on a response that is through, and they say nothing of the other one.
      set(value: unknown) {
        if (OF_NODE.has(name) || first?.isHeard) first?.set(name, value);
        else if (name === 'statusCode' || name === 'statusMessage') Reflect.set(other, name, value);
      },
    });
  }
  own(res, 'socket', {
    get: () => first?.get('socket') ?? sink,
    set: (value: unknown) => first?.set('socket', value),
  });
  // The line of the request tells of the answer that was sent: what fails now has to be told by itself.
  Reflect.deleteProperty(res, 'err');
  leaveConnection(req, other);
  return other;
}

/** Whether it still stands says nothing about a request that nobody waits for, and it may serve the next one by now. */
function leaveConnection(req: Request, other: ServerResponse): void {
  const destroy = (error?: Error): unknown => {
    other.destroy(error);
    return socket;
  };
  const socket: unknown = Object.create(req.socket, {
    destroyed: { value: false },
    destroy: { value: destroy },
  });
  own(req, 'socket', { writable: true, value: socket });
  own(req, 'destroyed', { writable: true, value: false });
}

/** What a response was answered first, for those above who hear how that fares: a log, for one. */
class FirstAnswer {
  /** Whether something happens to it right now. What those below listen to happens to the other one. */
  isHeard = false;
  private readonly values: Map<string, unknown> = new Map();

  constructor(private readonly res: Response) {
    for (const name of [...STATES, 'socket']) {
      if (!(name in OutgoingMessage.prototype)) this.values.set(name, Reflect.get(res, name));
    }
    const emit = res.emit.bind(res);
    own(res, 'emit', {
      writable: true,
      value: (...args: Parameters<typeof emit>) => {
        const { isHeard } = this;
        this.isHeard = true;
        try {
          return emit(...args);
        } finally {
          this.isHeard = isHeard;
        }
      },
    });
  }

  tells(name: string): boolean {
    return this.isHeard || (OF_NODE.has(name) && this.values.get('destroyed') === false);
  }

  get(name: string): unknown {
    if (this.values.has(name)) return this.values.get(name);
    return Reflect.get(OutgoingMessage.prototype, name, this.res);
  }

  set(name: string, value: unknown): void {
    if (this.values.has(name)) this.values.set(name, value);
  }
}

/** All that was to be heard of the response has been heard: from now on it is the other one's. */
function listenAnew(res: Response, other: ServerResponse): void {
  res.removeAllListeners();
  // Without a listener an error would be raised as an exception.
  res.on('error', () => undefined);
  for (const event of EVENTS) other.on(event, (...args: unknown[]) => void res.emit(event, ...args));
}

/** It came without a body, and that has been read: handlers who wait for its end, such as proxies, hear of it once more. */
function readAnew(req: Request): void {
  // Those above have heard all of it.
  req.removeAllListeners();
  Reflect.set(req, '_readableState', Reflect.get(new Readable(), '_readableState'));
  req.push(null);
}

/** Those below hear of the other one what they would have heard of this. */
function divertListeners(target: EventEmitter, other: ServerResponse, below: Listening): void {
  const hear = (event: string, listener: unknown): void => {
    if (typeof listener === 'function') {
      other.on(event, (...args: unknown[]) => void Reflect.apply(listener, target, args));
    }
  };
  for (const [event, listeners] of below) {
    for (const listener of listeners) {
      target.removeListener(event, listener as () => void);
      hear(event, listener);
    }
  }
  for (const name of LISTENING) {
    const listen = target[name].bind(target);
    own(target, name, {
      writable: true,
      value(event: string, listener: () => void) {
        if (below.has(event)) hear(event, listener);
        else listen(event, listener);
        return target;
      },
    });
  }
}

/** As it stands then: whoever listens to the other one may have put himself in between. */
export function forwarded(other: ServerResponse, res: object, name: string, args: unknown[]): unknown {
  const method: unknown = Reflect.get(other, name);
  if (typeof method !== 'function') return undefined;
  const result: unknown = Reflect.apply(method, other, args);
  return result === other ? res : result;
}

function own(target: object, name: string, property: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, enumerable: true, ...property });
}

/** Whether the answer can be made when it is sent: of HTTP/2 it cannot. */
export function canDetach(req: IncomingMessage, res: ServerResponse): boolean {
  return req instanceof IncomingMessage && res instanceof ServerResponse;
}
