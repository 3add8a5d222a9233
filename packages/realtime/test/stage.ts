import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { io as connect, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { ErrorObject } from '@signalbox/errors';
import {
  realtime,
  type EventMap,
  type Realtime,
  type RealtimeOptions,
  type SocketPrincipal,
} from '../src/index.js';

export interface OpenRealtime<Out extends EventMap> {
  readonly url: string;
  readonly server: Server;
  readonly live: Realtime<Out>;
}

/** Starts a server with realtime on a free port; both end with the test. */
export async function open<
  Schemas extends Record<string, unknown>,
  Principal extends SocketPrincipal = SocketPrincipal,
  Anonymous extends boolean = false,
  Out extends EventMap = Record<string, unknown>,
>(options: RealtimeOptions<Schemas, Principal, Anonymous, Out>): Promise<OpenRealtime<Out>> {
  const server = createServer((_req, res) => res.end('the app'));
  const live = realtime(server, options);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await live.close();
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, live };
}

export type Options = Partial<ManagerOptions & SocketOptions>;

/** A client that begins to connect, over WebSocket and only once unless told otherwise. */
export function clientOf(url: string, options: Options = {}): Socket {
  const socket = connect(url, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
  onTestFinished(() => void socket.disconnect());
  return socket;
}

/** A client that is connected, and what it was greeted with. */
export async function enter(url: string, options: Options = {}): Promise<Socket> {
  const socket = clientOf(url, options);
  await Promise.race([
    heard(socket, 'connect'),
    heard(socket, 'connect_error').then((error) => Promise.reject(error as Error)),
  ]);
  return socket;
}

/** The next time that something is told. */
export function heard<Payload = unknown>(socket: Socket, event: string): Promise<Payload> {
  return new Promise((resolve) => socket.once(event, resolve));
}

/** Everything that is told from now on, in order. */
export function everything(socket: Socket): { event: string; payload: unknown }[] {
  const all: { event: string; payload: unknown }[] = [];
  socket.onAny((event: string, payload: unknown) => all.push({ event, payload }));
  return all;
}

/** The error with which a client was not let in. */
export async function refusalOf(url: string, options: Options = {}): Promise<ErrorObject> {
  const error = await heard<Error & { data?: { error: ErrorObject } }>(
    clientOf(url, options),
    'connect_error',
  );
  if (error.data === undefined) throw error;
  return error.data.error;
}

/** Sends an event, and gives the acknowledgement. */
export function ask<Answer = unknown>(socket: Socket, event: string, ...payload: unknown[]): Promise<Answer> {
  return socket.timeout(5_000).emitWithAck(event, ...payload) as Promise<Answer>;
}

/** Sends an event that is refused, and gives the error. */
export async function refused(socket: Socket, event: string, ...payload: unknown[]): Promise<ErrorObject> {
  const { error } = await ask<{ error?: ErrorObject }>(socket, event, ...payload);
  if (error === undefined) throw new Error(`${event} was not refused`);
  return error;
}

/** Lets in whoever has a token that is a name; the part behind a colon is the session. */
export function byName(_req: unknown, { token }: Record<string, unknown>): SocketPrincipal | undefined {
  if (typeof token !== 'string') return undefined;
  const [subject = '', session] = token.split(':');
  return { subject, session, roles: subject === 'root' ? ['admin'] : [] };
}

/** A WebSocket that speaks no Socket.IO by itself. */
export async function rawSocket(url: string, query = 'EIO=4&transport=websocket'): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`);
  // What becomes of it, the test looks at itself.
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}
