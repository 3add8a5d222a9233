import type { Server as HttpServer } from 'node:http';
import { requireMilliseconds, requireObject } from '@signalbox/options';
import type { Server, Socket } from 'socket.io';
import type { AdapterKind } from './adapters.js';
import type { DrainedSockets, DrainOptions } from './drain.js';
import { type Emission, emissionTo } from './emission.js';
import { type FindOptions, findSockets, type FoundSockets } from './find-sockets.js';
import type { RealtimeOptions } from './options.js';
import type { SocketPrincipal, SocketTarget } from './principal.js';
import { roomOf } from './rooms.js';
import { resolveOptions } from './settings.js';
import type { EventMap } from './socket-event.js';
import { openSockets, type OpenSockets } from './socket-server.js';

/** What the sockets of this process are doing. */
export interface RealtimeReport {
  /** Sockets in namespaces. */
  readonly sockets: number;
  /** Connections, which may be in several namespaces, or in none yet. */
  readonly connections: number;
  readonly subjects: number;
  /** Rooms that somebody is in, without those of the sockets themselves. */
  readonly rooms: number;
  readonly adapter: AdapterKind;
  /** Whether other nodes are out of reach. */
  readonly degraded: boolean;
  readonly draining: boolean;
  /** What was refused since the start, by stable code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Sockets, on this node and the others. */
export interface Realtime<Out extends EventMap = Record<string, unknown>> {
  /** Socket.IO's own server. */
  readonly io: Server;
  /** Sends to everybody in the namespace `/`. */
  emit<Name extends keyof Out & string>(event: Name, payload: Out[Name]): void;
  /** Whoever is in one of the rooms of the namespace `/`, on all nodes. No rooms are nobody. */
  to(...rooms: readonly string[]): Emission<Out>;
  /** All sockets of a subject. */
  toSubject(subject: string): Emission<Out>;
  /**
   * Ends sockets of this node at once: a sign-out or a ban. Sockets that are just being let in are meant, too.
   *
   * @param reason told to the client, such as `signed_out`
   * @returns how many there were
   */
  end(target: SocketTarget, reason?: string): number;
  /**
   * Authenticates sockets of this node anew, as after a change of roles, or when sign-outs may have been missed. Those
   * that would not be let in now end.
   */
  recheck(target?: SocketTarget): Promise<void>;
  /** Who is at the other end; for those who use Socket.IO's own events. */
  readonly principalOf: (socket: Socket) => SocketPrincipal | undefined;
  /** Asks all nodes for their sockets. Never rejects: says `partial` where nodes did not answer in time. */
  fetchSockets(options?: FindOptions): Promise<FoundSockets>;
  /**
   * Lets nobody in any more, and sends all clients away, one after the other.
   *
   * @throws {TypeError} when a time is out of range
   */
  drain(options?: DrainOptions): Promise<DrainedSockets>;
  report(): RealtimeReport;
  /** Ends everything at once, and gives the HTTP server back. The server stays open. */
  close(): Promise<void>;
}

/**
 * Puts Socket.IO before an HTTP server: with the same sign-in, origins, limits and errors as over HTTP, with rooms that
 * one may or may not enter, events whose payloads are checked, and an end that loses nobody.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const live = realtime(server, {
 *   authenticate: (req, auth) => tokens.verify(auth.token),
 *   rooms: (room, principal) => room === 'news' || room === `team:${principal.team}`,
 *   events: {
 *     search: { schema: z.object({ q: z.string() }), limit: '5/s burst 10', handler: ({ q }) => search(q) },
 *   },
 * });
 * live.to('news').emit('system_alert', { level: 'info', message: 'All is well' });
 */
export function realtime<
  Schemas extends Record<string, unknown>,
  Principal extends SocketPrincipal = SocketPrincipal,
  Anonymous extends boolean = false,
  Out extends EventMap = Record<string, unknown>,
>(server: HttpServer, options: RealtimeOptions<Schemas, Principal, Anonymous, Out>): Realtime<Out> {
  // The types have done their work: below, a payload is what its schema has made of it.
  return handleOf<Out>(openSockets(server, resolveOptions(server, options as RealtimeOptions)));
}

function handleOf<Out extends EventMap>(sockets: OpenSockets): Realtime<Out> {
  const { io, members, settings } = sockets;
  const main = io.of('/');
  let draining: Promise<DrainedSockets> | undefined;
  let closing: Promise<void> | undefined;

  return {
    io,
    emit: (event, payload) => emissionTo<Out>(main, undefined).emit(event, payload),
    to: (...rooms) => emissionTo<Out>(main, rooms),
    toSubject: (subject) => emissionTo<Out>(main, [roomOf(subject)]),
    end: (target, reason) => sockets.end(target, reason),
    recheck: (target) => sockets.recheck(target),
    principalOf: (socket) => members.of(socket)?.principal,
    fetchSockets: (options = {}) => findSockets(io, members, options, settings.nodeTimeoutMs),
    async drain(options = {}) {
      requireObject('drain', 'options', options);
      const { budgetMs = 5_000, reconnectOverMs = Math.floor(budgetMs / 2) } = options;
      requireMilliseconds('drain', 'budgetMs', budgetMs);
      requireMilliseconds('drain', 'reconnectOverMs', reconnectOverMs, 0);
      draining ??= sockets.drain(budgetMs, Math.min(reconnectOverMs, budgetMs));
      return draining;
    },
    report: () => sockets.report(),
    close: () => (closing ??= sockets.close()),
  };
}
