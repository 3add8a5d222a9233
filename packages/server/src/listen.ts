import cluster from 'node:cluster';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import { Socket } from 'node:net';
import { ListenError } from './listen-error.js';
import type { Address } from './options.js';
import { listenOnSocket } from './unix-socket.js';

/**
 * Resolves when `server` listens.
 *
 * @throws {ListenError} when it cannot
 */
export async function listen(server: Server, address: Address): Promise<void> {
  if ('socket' in address) {
    await listenOnSocket(server, address.socket);
    if (address.socketMode !== undefined) await chmod(address.socket, address.socketMode);
    return;
  }
  if ('fd' in address) return listenOnDescriptor(server, address.fd);

  const { port, host } = address;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    throw new ListenError(sentence(code, port, host), code, error);
  }
}

async function listenOnDescriptor(server: Server, fd: number): Promise<void> {
  requireSocket(fd);
  // Of a number alone a worker would ask the primary process, where it means another socket.
  server.listen(cluster.isWorker ? portOf(fd) : { fd });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw noSocket(fd, error);
  }
}

/** Node takes no Unix socket in this way. */
function portOf(fd: number): Socket {
  const socket = new Socket({ fd, readable: false });
  if ('port' in socket.address()) return socket;
  throw new ListenError(
    `descriptor ${fd} is a Unix socket, which workers cannot share; have it listen on a port, or workers on a path of their own`,
    'ENOTSUP',
    undefined,
  );
}

function requireSocket(fd: number): void {
  let isSocket: boolean;
  try {
    // As bigint: after a socket Node's `require` would follow no links else, and load packages twice.
    isSocket = fstatSync(fd, { bigint: true }).isSocket();
  } catch (error) {
    throw noSocket(fd, error);
  }
  if (!isSocket) throw noSocket(fd);
}

function noSocket(fd: number, cause?: unknown): ListenError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'ENOTSOCK';
  const words = `descriptor ${fd} is no socket to listen on; it has to come from whoever starts this process, such as a socket unit of systemd`;
  return new ListenError(words, code, cause);
}

/**
 * Finds out whether somebody could listen there, by doing so for a moment. A dead Unix socket is removed. What was
 * inherited is only looked at, since it would be closed.
 *
 * @throws {ListenError} when nobody can
 */
export async function requireFreeAddress(address: Address): Promise<void> {
  if ('fd' in address) {
    requireSocket(address.fd);
    return;
  }
  const server = createServer();
  await listen(server, address);
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

function sentence(code: string, port: number, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is already in use; set PORT to another, or 0 for any free one`;
    case 'EACCES':
    case 'EPERM':
      return `no permission to listen on port ${port} of ${host}; set PORT to 1024 or above, or grant the process the lower ports`;
    case 'EADDRNOTAVAIL':
      return `this machine has no address ${host}; set HOST to one of its own, or 0.0.0.0 for all of them`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name ${host} cannot be resolved; set HOST to an address of this machine, or 0.0.0.0 for all`;
    default:
      return `cannot listen on port ${port} of ${host} (${code})`;
  }
}

/** Where the server can be reached from this machine. */
export function urlOf(server: Server, address: Address, secure: boolean): string {
  if ('socket' in address) return `unix:${address.socket}`;
  const bound = server.address();
  if ('fd' in address) {
    // A Unix socket that was inherited does not tell where it is.
    if (bound === null || typeof bound === 'string') return `fd:${address.fd}`;
    return urlOf(server, { host: bound.address, port: bound.port }, secure);
  }
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return `${secure ? 'https' : 'http'}://${reachable(address.host)}:${port}`;
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
