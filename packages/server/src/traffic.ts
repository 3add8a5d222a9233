import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { onceOver } from '@signalbox/context';
import { OpenResponses, type Responses } from './responses.js';
import { showCut } from './show-cut.js';

/** What is under way in one server. */
export interface Traffic {
  /** Responses that are not over. */
  readonly responses: Responses;
  /** Open connections, upgraded ones included; one over TLS counts as two, the lower one and itself. */
  readonly connections: ReadonlySet<Socket>;
  /** From now on a connection is closed after the last response that is under way on it. */
  sayClose(): void;
  /** Closes connections that wait for a request, as soon as what has arrived is read. */
  closeIdle(): void;
}

/**
 * Hands the requests of a server to its app, and follows them and the connections. What is answered before (the
 * long polls of Socket.IO, which takes its path away from the listeners that it finds) is left to whoever answers it.
 */
export function watchTraffic(server: Server, app: RequestListener): Traffic {
  const responses = new OpenResponses();
  const connections = new Set<Socket>();
  let closing = false;

  function forget(this: ServerResponse): void {
    responses.delete(this);
  }

  // One listener for both: Node copies the list of listeners for every request when there are two.
  function onRequest(
    this: Server,
    req: IncomingMessage,
    res: ServerResponse<IncomingMessage> & { req: IncomingMessage },
  ): void {
    if (closing) announceClose(req.socket, res);
    if (req.httpVersionMinor === 0) showCut(req.socket, res);
    responses.add(res);
    onceOver(req, res, forget);
    app.call(this, req, res);
  }

  function onConnection(socket: Socket): void {
    // It is handed in again where a request on it had offered another protocol, which nobody takes up.
    if (connections.has(socket)) return;
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
  server.on('request', onRequest);

  return {
    responses,
    connections,
    sayClose() {
      closing = true;
      for (const res of responses) announceClose(res.req.socket, res);
    },
    closeIdle() {
      // Right after the event loop has read what is there: on a busy machine the process may have slept since it
      // last did, and a connection with an unread request looks idle.
      setImmediate(() => {
        server.closeIdleConnections();
        // Node takes a connection on which nothing has arrived yet for one in the middle of a request.
        for (const socket of connections) if (isUnused(socket)) socket.destroy();
      });
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
