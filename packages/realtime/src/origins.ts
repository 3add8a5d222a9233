import type { IncomingMessage } from 'node:http';
import type { OriginList } from '@signalbox/options';

/**
 * Whether a handshake may come from where it comes from. WebSockets know no CORS: a page of any origin can open one, with
 * the cookies of its visitor, unless the server looks (RFC 6455 section 10.2).
 */
export function mayConnect({ headers }: IncomingMessage, origins: OriginList | undefined): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  // No browser, or a page of the server itself; another page that asks without its origin cannot read the answer, and
  // has no business here.
  if (origin === undefined) return site === undefined || site === 'same-origin' || site === 'none';
  if (origins?.has(origin)) return true;
  return host !== undefined && isOrigin(origin) && origin.slice(origin.indexOf('://') + 3) === host;
}

function isOrigin(origin: string): boolean {
  return origin.startsWith('https://') || origin.startsWith('http://');
}
