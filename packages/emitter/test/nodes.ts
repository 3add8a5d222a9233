import { createServer } from 'node:http';
import { start } from '@signalbox/testing';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';

/** A plain Socket.IO server with the Redis adapter, as anybody would write one. */
export interface Node {
  readonly io: Server;
  readonly url: string;
  close(): Promise<void>;
}

export interface NodeOptions {
  /** The adapter's. */
  key?: string | undefined;
  namespaces?: readonly string[] | undefined;
  /** How soon it connects to Redis again; by default soon, so that no test waits for it. */
  retryMs?: number | undefined;
}

/** Starts a server whose adapter listens on Redis at the port; clients may join what they like. */
export async function startNode(redisPort: number, options: NodeOptions = {}): Promise<Node> {
  const { key = 'socket.io', namespaces = ['/'], retryMs = 20 } = options;
  const { server, url, close } = await start(createServer());
  const publisher = clientOf(redisPort, retryMs);
  const subscriber = clientOf(redisPort, retryMs);
  const io = new Server(server, { adapter: createAdapter(publisher, subscriber, { key }) });
  for (const namespace of namespaces) {
    io.of(namespace).on('connection', (socket) => {
      socket.on('join', async (rooms: string[], done: () => void) => {
        await socket.join(rooms);
        done();
      });
    });
  }
  // Answered after the subscriptions, which were asked for before.
  await subscriber.ping();
  return {
    io,
    url,
    async close() {
      await io.close();
      // Once what the adapter asked for at its end is answered, or never will be.
      await Promise.race([subscriber.ping(), closed(subscriber)]);
      publisher.disconnect();
      subscriber.disconnect();
      await close();
    },
  };
}

function clientOf(port: number, retryMs: number): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => retryMs });
  client.on('error', () => undefined);
  return client;
}

function closed(client: Redis): Promise<unknown> {
  return new Promise((resolve) =>
    client.status === 'ready' ? client.once('close', resolve) : resolve(undefined),
  );
}

/** An event as a client hears it: its name, and what follows. */
export type HeardEvent = readonly [event: string, ...args: unknown[]];

/** A browser, as far as sockets go. */
export interface Visitor {
  readonly id: string;
  readonly socket: Socket;
  readonly heard: readonly HeardEvent[];
  /** Waits until it has heard so many events, and returns what followed their names, if it was one thing. */
  hears(count: number): Promise<readonly unknown[]>;
}

export interface VisitOptions {
  namespace?: string | undefined;
  rooms?: readonly string[] | undefined;
  transport?: 'websocket' | 'polling' | undefined;
}

/** Connects to a server and joins rooms. It leaves when the test ends. */
export async function visit(node: Pick<Node, 'url'>, options: VisitOptions = {}): Promise<Visitor> {
  const { namespace = '/', rooms = [], transport = 'websocket' } = options;
  const socket = connect(`${node.url}${namespace}`, { transports: [transport], forceNew: true });
  onTestFinished(() => void socket.disconnect());
  const heard: HeardEvent[] = [];
  socket.onAny((event: string, ...args: unknown[]) => void heard.push([event, ...args]));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  if (rooms.length > 0) await socket.timeout(5_000).emitWithAck('join', rooms);

  return {
    id: String(socket.id),
    socket,
    heard,
    async hears(count) {
      await eventually(() => heard.length >= count);
      return heard.map(([, ...args]) => (args.length === 1 ? args[0] : args));
    },
  };
}
