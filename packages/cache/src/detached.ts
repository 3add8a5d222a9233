import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Request, Response } from 'express';

/** Swallows what is written. */
class Sink extends Duplex {
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

const LISTENING = ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const;
/** What happens to a response. */
const EVENTS = ['finish', 'close', 'drain', 'error'] as const;

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
const OF_NODE = ['finished', 'destroyed'] as const;

/** Who listens to a response. */
export type Listeners = ReadonlyMap<string, readonly unknown[]>;

export function listenersOf(res: ServerResponse): Listeners {
  return new Map(EVENTS.map((event) => [event, res.rawListeners(event)]));
}

/** Who has begun to listen since then. */
export function listenersSince(then: Listeners, res: ServerResponse): Listeners {
  const isNew = (event: string, listener: unknown): boolean => then.get(event)?.includes(listener) !== true;
  return new Map(
    EVENTS.map((event) => [event, res.rawListeners(event).filter((each) => isNew(event, each))]),
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

  if (below === undefined) listenAnew(res, other);
  else divertListeners(res, other, below);
  for (const name of METHODS) {
    own(res, name, { writable: true, value: (...args: unknown[]) => forwarded(other, res, name, args) });
  }
  // Who stands above may still be sending what was answered, such as what it compresses.
  const sending = new Map<string, unknown>();
  if (below !== undefined) for (const name of OF_NODE) sending.set(name, Reflect.get(res, name));
  const isSending = (): boolean => sending.get('destroyed') === false;
  for (const name of STATES) {
    own(res, name, {
      get: () => (sending.has(name) && isSending() ? sending.get(name) : Reflect.get(other, name)),
      // Node itself sets some on a response that is through, and they say nothing of the other one.
      set(value: unknown) {
        if (sending.has(name)) sending.set(name, value);
        if (name === 'statusCode' || name === 'statusMessage') Reflect.set(other, name, value);
      },
    });
  }
  if (below === undefined) {
    own(res, 'socket', { get: () => sink, set: () => undefined });
    // Whether it still stands says nothing about a request that nobody waits for.
    const socket: unknown = Object.create(req.socket, { destroyed: { value: false } });
    own(req, 'socket', { writable: true, value: socket });
  }
  return other;
}

/** All that was to be heard of the response has been heard: from now on it is the other one's. */
function listenAnew(res: Response, other: ServerResponse): void {
  res.removeAllListeners();
  // Without a listener an error would be raised as an exception.
  res.on('error', () => undefined);
  for (const event of EVENTS) other.on(event, (...args: unknown[]) => void res.emit(event, ...args));
}

function divertListeners(res: Response, other: ServerResponse, below: Listeners): void {
  const hear = (event: string, listener: unknown): void => {
    if (typeof listener === 'function') {
      other.on(event, (...args: unknown[]) => void Reflect.apply(listener, res, args));
    }
  };
  for (const [event, listeners] of below) {
    for (const listener of listeners) {
      res.removeListener(event, listener as () => void);
      hear(event, listener);
    }
  }
  for (const name of LISTENING) {
    own(res, name, {
      writable: true,
      value(event: string, listener: unknown) {
        hear(event, listener);
        return res;
      },
    });
  }
}

/** As it stands then: whoever listens to the other one may have put himself in between. */
function forwarded(other: ServerResponse, res: Response, name: string, args: unknown[]): unknown {
  const method: unknown = Reflect.get(other, name);
  if (typeof method !== 'function') return undefined;
  const result: unknown = Reflect.apply(method, other, args);
  return result === other ? res : result;
}

function own(target: object, name: string, property: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, enumerable: true, ...property });
}

/** Whether the answer can be made when it is sent: of HTTP/2 it cannot. */
export function canDetach(req: Request, res: Response): boolean {
  return req instanceof IncomingMessage && res instanceof ServerResponse;
}
