import type { Socket as Connection } from 'engine.io';
import { Bucket } from './buckets.js';
import type { Rate } from './rate.js';

export interface ConnectionLimits {
  readonly maxBufferedBytes: number;
  readonly flood: Rate;
}

/** Why a connection was cut. */
export type CutReason = 'slow_reader' | 'flood';

/**
 * Bounds what a connection may send, and what may wait for it. Packets that wait in Engine.IO are counted as they are
 * made, those that WebSocket has taken over it counts itself.
 *
 * @param cut hears of a connection that was cut
 */
export function guardConnections(
  { maxBufferedBytes, flood }: ConnectionLimits,
  cut: (reason: CutReason) => void,
): (connection: Connection) => void {
  // One listener for all connections, so that each costs as little as it can.
  const states = new WeakMap<Connection, { queued: number; readonly bucket: Bucket }>();

  function onPacket(this: Connection): void {
    const state = states.get(this);
    if (state === undefined || state.bucket.take(flood, performance.now()) === 0) return;
    states.delete(this);
    cut('flood');
    terminate(this);
  }

  function onPacketCreate(this: Connection, packet: { data?: unknown }): void {
    const state = states.get(this);
    if (state === undefined) return;
    state.queued += sizeOf(packet.data);
    if (state.queued + handedOver(this) <= maxBufferedBytes) return;
    states.delete(this);
    cut('slow_reader');
    terminate(this);
  }

  function onDrain(this: Connection): void {
    const state = states.get(this);
    if (state !== undefined) state.queued = 0;
  }

  return (connection) => {
    states.set(connection, { queued: 0, bucket: new Bucket() });
    connection.on('packet', onPacket);
    connection.on('packetCreate', onPacketCreate);
    connection.on('drain', onDrain);
  };
}

/** Cuts a connection at once, without waiting for what it was still to get. */
export function terminate(connection: Connection): void {
  const webSocket = webSocketOf(connection);
  connection.close(true);
  // The close handshake would wait for a client that does not read.
  webSocket?.terminate();
}

/** What the package ws has of a connection: Engine.IO's types do not tell. */
interface WebSocketLike {
  readonly bufferedAmount: number;
  terminate(): void;
}

function webSocketOf({ transport }: Connection): WebSocketLike | undefined {
  const socket: unknown = Reflect.get(transport, 'socket');
  const isWebSocket = typeof socket === 'object' && socket !== null && 'terminate' in socket;
  return isWebSocket ? (socket as WebSocketLike) : undefined;
}

/** Bytes that were given to the system, or wait to be. */
function handedOver(connection: Connection): number {
  return webSocketOf(connection)?.bufferedAmount ?? 0;
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return data.length;
  return typeof data === 'object' && data !== null && 'byteLength' in data ? Number(data.byteLength) : 0;
}
