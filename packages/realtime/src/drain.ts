import { setTimeout as wait } from 'node:timers/promises';
import type { Server as Engine, Socket as Connection } from 'engine.io';
import { terminate } from './connection.js';
import type { Members } from './members.js';

export interface DrainOptions {
  /**
   * Time for everything, in milliseconds.
   * @default 5_000
   */
  budgetMs?: number | undefined;
  /**
   * Over which time the clients are sent away, so that they do not all arrive elsewhere at once.
   * @default half of `budgetMs`
   */
  reconnectOverMs?: number | undefined;
}

/** How a drain went. */
export interface DrainedSockets {
  /** Connections there were. */
  readonly connections: number;
  /** Of these, how many had to be cut. */
  readonly cut: number;
  readonly durationMs: number;
}

const SLICE_MS = 50;
const GOODBYE_MS = 500;

/**
 * Sends all clients away: tells each when to come back (`reconnect`), and closes its connection then, at which
 * Socket.IO's client connects again by itself.
 */
export async function drainConnections(
  engine: Engine,
  members: Members,
  budgetMs: number,
  reconnectOverMs: number,
): Promise<DrainedSockets> {
  const start = performance.now();
  const elapsed = (): number => performance.now() - start;
  const connections = connectionsOf(engine);
  const turnOf = (index: number): number => (index / Math.max(1, connections.length)) * reconnectOverMs;

  const afterMs = new Map(connections.map((connection, index) => [connection, Math.round(turnOf(index))]));
  for (const { socket } of members) socket.emit('reconnect', { afterMs: afterMs.get(socket.conn) ?? 0 });

  for (let next = 0; next < connections.length && elapsed() < budgetMs; ) {
    for (; next < connections.length && turnOf(next) <= elapsed(); next += 1) connections[next]?.close();
    if (next < connections.length) await wait(SLICE_MS);
  }
  let left = connections.filter(isOpen);
  for (; left.length > 0 && elapsed() < budgetMs; left = left.filter(isOpen)) await wait(10);

  for (const connection of left) terminate(connection);
  return { connections: connections.length, cut: left.length, durationMs: Math.round(elapsed()) };
}

/** Ends all connections at once; those that do not say goodbye in return are cut soon after. */
export function closeConnections(engine: Engine): void {
  const connections = connectionsOf(engine);
  engine.close();
  const cut = (): void => connections.forEach(terminate);
  if (connections.length > 0) setTimeout(cut, GOODBYE_MS).unref();
}

/** Also while WebSocket waits for the other side's goodbye. */
function isOpen({ readyState, transport }: Connection): boolean {
  return readyState !== 'closed' || transport.readyState !== 'closed';
}

/** Engine.IO keeps them by id; its types say no more than that it is an object. */
function connectionsOf(engine: Engine): Connection[] {
  return Object.values(Reflect.get(engine, 'clients') as Record<string, Connection>);
}
