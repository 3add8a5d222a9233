import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';

/** Express compiles the setting `trust proxy` into this: whether to believe the hop at that distance. */
type TrustFunction = (address: string | undefined, distance: number) => boolean;

/** Fields by which a proxy says for whom it asks. One of them means that the peer is not the caller. */
const FORWARDING_FIELDS = [
  'x-forwarded-for',
  'forwarded',
  'x-real-ip',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-client-ip',
  'cf-connecting-ip',
  'true-client-ip',
  'via',
] as const;

/** RFC 5737: nobody's, so nobody trusts it who does not trust everybody. */
const DOCUMENTATION_ADDRESS = '192.0.2.1';

/**
 * The address of who asks, after trusted proxies, fit to decide about access; `undefined` where it cannot be known
 * for sure. IPv4 inside IPv6 (`::ffff:10.0.0.1`) is IPv4, and the zone of a link-local address is gone.
 *
 * `req.ip` alone is not enough for that. A proxy on the same host connects from the loopback address, and so would
 * everybody behind it: a request that says it was forwarded is believed only when the app trusts its peer, and
 * trusts that peer rather than everybody (`trust proxy: true` believes whatever the caller wrote).
 */
export function clientAddress(req: Request): string | undefined {
  const { remoteAddress } = req.socket;
  // Over a Unix socket there is no peer to look at, so that only a trusted proxy can say who asks.
  if (remoteAddress === undefined || isForwarded(req)) {
    // Express reads this field alone; with any other, `req.ip` is still the proxy.
    if (req.headers['x-forwarded-for'] === undefined) return undefined;
    const isTrusted = req.app.get('trust proxy fn') as TrustFunction;
    if (!isTrusted(remoteAddress, 0)) return undefined;
    if (isTrusted(DOCUMENTATION_ADDRESS, Number.MAX_SAFE_INTEGER)) return undefined;
  }
  return req.ip === undefined ? undefined : plainAddress(req.ip);
}

/** Whether it says that a proxy has passed it on, believed or not. */
export function isForwarded({ headers }: IncomingMessage): boolean {
  return FORWARDING_FIELDS.some((field) => headers[field] !== undefined);
}

/** IPv4 inside IPv6 as IPv4 (RFC 4291 section 2.5.5.2), and no zone (RFC 4007). */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
}
