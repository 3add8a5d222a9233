import { isIPv6 } from 'node:net';
import type { Settings } from './settings.js';

/** Where it listens, as URLs and the process manager have it written. */
export function hostAndPort({ HOST, PORT }: Pick<Settings, 'HOST' | 'PORT'>): string {
  return isIPv6(HOST) ? `[${HOST}]:${PORT}` : `${HOST}:${PORT}`;
}

/** Of a Unix socket: for the group as well, such as of a proxy in front. By the mask alone it is for the user at most. */
export const SOCKET_MODE = 0o660;
