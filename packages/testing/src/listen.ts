import { once } from 'node:events';
import { createServer, Server as HttpServer, type RequestListener } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { whenTestEnds, type TestContext } from './test-end.js';

/** What can be listened with: an Express app, any request listener, or a server made by the caller. */
export type Listenable = RequestListener | HttpServer | HttpsServer;

/** A server on a free port of the loopback address. */
export interface StartedServer {
  /** Such as `http://127.0.0.1:49152`, without a slash at the end. */
  readonly url: string;
  readonly server: HttpServer;
  /**
   * Stops listening and destroys every open connection, idle, busy or upgraded. Resolves when the
   * port is free again. Calling it again returns the same promise.
   */
  readonly close: () => Promise<void>;
}

/**
 * Starts a server on a free port, for a process that closes it by itself.
 *
 * @throws {TypeError} when `app` is neither a function nor an `http.Server`
 */
export async function start(app: Listenable): Promise<StartedServer> {
  const server = serverOf(app);
  const connections = trackConnections(server);

  if (!server.listening) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }

  let closed: Promise<void> | undefined;
  return {
    url: urlOf(server),
    server,
    close() {
      closed ??= closeServer(server, connections);
      return closed;
    },
  };
}

/**
 * Starts a server on a free port and closes it when the running test ends, under vitest and node:test.
 *
 * Outside a test (in `beforeAll`, or in a plain program) it stays open, but keeps no process alive.
 *
 * @param test the test's own context, needed only where tests of one file run concurrently
 * @returns its URL, such as `http://127.0.0.1:49152`
 * @throws {TypeError} when `app` is neither a function nor an `http.Server`
 *
 * @example
 * const url = await listen(app);
 * const response = await fetch(`${url}/users/7`);
 */
export async function listen(app: Listenable, test?: TestContext): Promise<string> {
  const started = await start(app);

  started.server.unref();
  started.server.on('connection', (socket: Socket) => socket.unref());
  await whenTestEnds(() => started.close(), test);
  return started.url;
}

function serverOf(app: Listenable): HttpServer {
  if (app instanceof HttpServer || app instanceof HttpsServer) return app;
  if (typeof app === 'function') return createServer(app);
  throw new TypeError(
    `listen: "app" must be an Express app, a request listener or an http.Server, got ${String(app)}`,
  );
}

function urlOf(server: HttpServer): string {
  const { address, family, port } = server.address() as AddressInfo;
  const scheme = server instanceof HttpsServer ? 'https' : 'http';
  const host = family === 'IPv6' ? `[${address}]` : address;
  return `${scheme}://${host}:${port}`;
}

/** `closeAllConnections` forgets upgraded sockets, so that a WebSocket would keep a test waiting. */
function trackConnections(server: HttpServer): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    if (connections.has(socket)) return;
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return connections;
}

async function closeServer(server: HttpServer, connections: ReadonlySet<Socket>): Promise<void> {
  const closed = server.listening ? once(server, 'close') : undefined;
  if (server.listening) server.close();
  // Also where the test has closed the server itself: what is still open there would keep the test waiting.
  server.closeAllConnections();
  for (const socket of connections) socket.destroy();
  await closed;
}
