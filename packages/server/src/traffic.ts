import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { onceOver } from './response-over.js';

/** What is under way in one server. */
export interface Traffic {
  /** Responses that are not over. */
  readonly responses: ReadonlySet<ServerResponse>;
  /** Open connections, upgraded ones included; one over TLS counts as two, the lower one and itself. */
  readonly connections: ReadonlySet<Socket>;
  /** From now on a connection is closed after the last response that is under way on it. */
  sayClose(): void;
  /** Closes connections that wait for a request. */
  closeIdle(): void;
}

/**
 * Follows the connections of a server, and the requests that reach its app. What is answered before (the
 * long polls of Socket.IO, which takes its path away from the listeners that it finds) is left to whoever answers it.
 */
export function watchTraffic(server: Server): Traffic {
  const responses = new Set<ServerResponse>();
  const connections = new Set<Socket>();
  let closing = false;

  function forget(this: ServerResponse): void {
    responses.delete(this);
  }

  function onRequest(req: IncomingMessage, res: ServerResponse): void {
    if (closing) announceClose(req.socket, res);
    responses.add(res);
    onceOver(req, res, forget);
  }

  function onConnection(socket: Socket): void {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  }

  // The response on each connection that says `Connection: close`. It is the last one: Node drops the
  // answers to requests that were pipelined behind it.
  const last = new Map<Socket, ServerResponse>();

  function announceClose(socket: Socket, res: ServerResponse): void {
    const before = last.get(socket);
    if (before !== undefined && !before.headersSent) before.removeHeader('Connection');
    last.set(socket, res);
    if (!res.headersSent) res.setHeader('Connection', 'close');
  }

  server.on('connection', onConnection);
  server.on('secureConnection', onConnection);
  // Before the app, which may answer at once.
  server.prependListener('request', onRequest);

  return {
    responses,
    connections,
    sayClose() {
      closing = true;
      for (const res of responses) announceClose(res.req.socket, res);
    },
    closeIdle() {
      server.closeIdleConnections();
      // Node takes a connection on which nothing has arrived yet for one in the middle of a request.
      for (const socket of connections) if (isUnused(socket)) socket.destroy();
    },
  };
}

function isUnused(socket: Socket): boolean {
  return socket.bytesRead === 0 && !socket.destroyed;
}

/** Open connections without a request of the app's: upgraded ones, and long polls. */
export function countOtherConnections({ connections, responses }: Traffic): number {
  const busy = new Set<Socket>();
  for (const res of responses) busy.add(res.req.socket);
  let count = 0;
  for (const socket of connections) {
    // Over TLS a connection is there twice: as what it came as, and as what it became.
    if (socket instanceof TLSSocket) count -= 1;
    if (!busy.has(socket)) count += 1;
  }
  return Math.max(0, count);
}
