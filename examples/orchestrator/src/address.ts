import { isIPv6 } from 'node:net';
import type { Settings } from './settings.js';

/** Where it listens, as URLs and the process manager have it written. */
export function hostAndPort({ HOST, PORT }: Pick<Settings, 'HOST' | 'PORT'>): string {
  return isIPv6(HOST) ? `[${HOST}]:${PORT}` : `${HOST}:${PORT}`;
}
