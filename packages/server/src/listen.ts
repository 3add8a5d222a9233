import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
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

  const { port, host } = address;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    throw new ListenError(sentence(code, port, host), code, error);
  }
}

/**
 * Finds out whether somebody could listen there, by doing so for a moment. A dead Unix socket is removed.
 *
 * @throws {ListenError} when nobody can
 */
export async function requireFreeAddress(address: Address): Promise<void> {
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
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return `${secure ? 'https' : 'http'}://${reachable(address.host)}:${port}`;
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
