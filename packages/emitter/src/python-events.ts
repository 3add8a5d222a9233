import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { redisLink, type RedisClient, type RedisLink } from '@signalbox/redis';
import { normalNamespace } from './options.js';
import { readPythonMessage, type PythonMessage } from './python/python-message.js';

/** What is needed of a BroadcastOperator of socket.io. */
export interface LocalSockets {
  to(rooms: string[]): LocalSockets;
  except(rooms: string[]): LocalSockets;
  emit(event: string, ...args: never[]): unknown;
  socketsJoin(rooms: string[]): void;
  socketsLeave(rooms: string[]): void;
  disconnectSockets(close?: boolean): void;
}

/** What is needed of a Server of socket.io. */
export interface SocketServer {
  of(namespace: string): { readonly local: LocalSockets };
}

export interface PythonEventsOptions {
  /** A `RedisLink`, or an ioredis client. It must be the Redis of the Python side, and stays yours to close. */
  redis: RedisLink | RedisClient;
  /**
   * The channel that the Python side was given.
   * @default 'socketio'
   */
  channel?: string | undefined;
  /**
   * The namespaces that may be reached so.
   * @default ['/']
   */
  namespaces?: readonly string[] | undefined;
  /**
   * How large a message may be, in bytes.
   * @default 1_000_000
   */
  maxEventBytes?: number | undefined;
  /** Called with what is wrong with a message that is passed over; by default the first is warned of. */
  onRefused?: ((error: Error) => void) | undefined;
}

/** The reader of events from python-socketio. */
export interface PythonEvents {
  /** Listens no more. Doing so again does nothing. */
  close(): void;
}

/**
 * Lets python-socketio (`RedisManager`, `AsyncRedisManager`, and on the channel `flask-socketio` Flask-SocketIO's
 * `message_queue`) emit to the sockets of this server. It has a protocol of its own, which Socket.IO's Redis adapter does not hear. Each server listens for itself
 * and serves its own sockets.
 *
 * @param io a `Server` of socket.io
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * pythonEvents(io, { redis });
 * // and in Python: socketio.RedisManager(url, write_only=True).emit('hello', { … }, room='lobby')
 */
export function pythonEvents(io: SocketServer, options: PythonEventsOptions): PythonEvents {
  const { link, channel, namespaces, maxEventBytes, onRefused } = resolve(io, options);
  return { close: link.subscribeBytes(channel, hear) };

  function hear(bytes: Buffer): void {
    try {
      const message = readPythonMessage(bytes, maxEventBytes);
      // Of a namespace that nobody knows, socket.io would make one.
      if (message !== undefined && namespaces.has(message.namespace)) deliver(io, message);
    } catch (error) {
      onRefused(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function deliver(io: SocketServer, message: PythonMessage): void {
  const { local } = io.of(message.namespace);
  switch (message.method) {
    case 'emit': {
      const { rooms, except, event, args } = message;
      if (rooms?.length === 0) return;
      const target = rooms === undefined ? local : local.to([...rooms]);
      target.except([...except]).emit(event, ...(args as never[]));
      return;
    }
    case 'disconnect':
      return local.to([message.sid]).disconnectSockets();
    case 'close_room':
      return local.to([message.room]).socketsLeave([message.room]);
    case 'enter_room':
      return local.to([message.sid]).socketsJoin([message.room]);
    case 'leave_room':
      return local.to([message.sid]).socketsLeave([message.room]);
  }
}

const OWNER = 'pythonEvents';

function resolve(io: SocketServer, options: PythonEventsOptions) {
  requireObject(OWNER, 'io', io);
  if (typeof io.of !== 'function') throw wrongOption(OWNER, 'io', 'a Server of socket.io', io);
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, ['redis', 'channel', 'namespaces', 'maxEventBytes', 'onRefused']);
  const {
    redis,
    channel = 'socketio',
    namespaces = ['/'],
    maxEventBytes = 1_000_000,
    onRefused = warnOnce(),
  } = options;

  requireObject(OWNER, 'redis', redis);
  requireText(OWNER, 'channel', channel);
  if (!Array.isArray(namespaces) || namespaces.length === 0) {
    throw wrongOption(OWNER, 'namespaces', 'a list of namespaces', namespaces);
  }
  for (const namespace of namespaces) requireText(OWNER, 'namespaces', namespace);
  requireInteger(OWNER, 'maxEventBytes', maxEventBytes, 1);
  requireFunction(OWNER, 'onRefused', onRefused);

  return {
    link: redisLink(redis),
    channel,
    namespaces: new Set(namespaces.map(normalNamespace)),
    maxEventBytes,
    onRefused,
  };
}

/** One is enough to know of it; whoever wants all of them says so. */
function warnOnce(): (error: Error) => void {
  let hasWarned = false;
  return (error) => {
    if (!hasWarned) process.emitWarning(`pythonEvents passed over a message: ${error.message}`);
    hasWarned = true;
  };
}
