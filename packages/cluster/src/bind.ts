import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { wrongOption } from '@signalbox/options';
import type { Address } from '@signalbox/server';

const WANTED =
  'such as "127.0.0.1:8889", "[::1]:8889", ":8889" for all addresses, "unix:/run/app.sock", or "fd:3"';

/**
 * Reads where workers listen: `HOST:PORT`, `[IPV6]:PORT`, `:PORT` for every address, `PORT` for this machine alone,
 * `unix:PATH`, or `fd:N` for a socket that was inherited.
 *
 * @throws {TypeError} when it is none of them
 */
export function parseBind(
  owner: string,
  option: string,
  bind: string,
  socketMode: number | undefined,
): Address {
  if (bind.startsWith('unix:')) {
    const socket = bind.slice('unix:'.length);
    if (socket === '') throw wrongOption(owner, option, WANTED, bind);
    // As node:cluster names it, for workers as for this process.
    return { socket: resolve(socket), socketMode };
  }
  const [, descriptor] = /^fd:(\d{1,5})$/.exec(bind) ?? [];
  if (descriptor !== undefined) return { fd: Number(descriptor) };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]:|([^:]*):)?(\d{1,5})$/.exec(bind) ?? [];
  const port = Number(digits ?? Number.NaN);
  if (!(port <= 65_535) || (bracketed !== undefined && !isIPv6(bracketed))) {
    throw wrongOption(owner, option, WANTED, bind);
  }
  return { host: bracketed ?? hostOf(plain), port };
}

function hostOf(plain: string | undefined): string {
  if (plain === undefined) return '127.0.0.1';
  return plain === '' || plain === '*' ? '0.0.0.0' : plain;
}

/** As it is written, and shown. */
export function formatAddress(address: Address): string {
  if ('socket' in address) return `unix:${address.socket}`;
  if ('fd' in address) return `fd:${address.fd}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The variables by which programs that do not know of the manager learn where to listen. */
export function addressVariables(address: Address): Record<string, string> {
  if ('socket' in address) return { SOCKET: address.socket };
  // Only serve() takes it.
  if ('fd' in address) return {};
  return { HOST: address.host, PORT: String(address.port) };
}
