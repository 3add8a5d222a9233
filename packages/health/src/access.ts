import { BlockList, isIP } from 'node:net';
import type { Request } from 'express';
import { shown } from './option-checks.js';

/** Addresses and CIDR ranges that may read the details, or a function that says so for a request. */
export type DetailAccess = readonly string[] | ((req: Request) => boolean | Promise<boolean>);

export type AccessRule = (req: Request) => boolean | Promise<boolean>;

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

/** @throws {TypeError} when an entry is no address or range */
export function resolveAccess(access: DetailAccess): AccessRule {
  if (typeof access === 'function') return access;
  if (!Array.isArray(access)) {
    throw new TypeError(`health: "access" must be an array of addresses or a function, got ${shown(access)}`);
  }
  const list = new BlockList();
  for (const entry of access as readonly unknown[]) add(list, entry);

  return function isAllowedAddress(req) {
    const address = callerAddress(req);
    if (address === undefined) return false;
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/**
 * The address of who asks, after trusted proxies; `undefined` where it cannot be known for sure.
 *
 * A proxy on the same host connects from the loopback address, and so would everybody behind it: a
 * request that says it was forwarded is believed only when the app trusts its peer by name.
 */
function callerAddress(req: Request): string | undefined {
  if (FORWARDING_FIELDS.some((field) => req.headers[field] !== undefined)) {
    // `true` believes whatever the caller wrote, so that it would open to everybody.
    if (req.app.get('trust proxy') === true) return undefined;
    const isTrusted = req.app.get('trust proxy fn') as TrustFunction;
    if (!isTrusted(req.socket.remoteAddress, 0)) return undefined;
    // A proxy that names the caller elsewhere leaves `req.ip` to be the proxy's own.
    if (req.headers['x-forwarded-for'] === undefined) return undefined;
  }
  // Without the zone of a link-local address (RFC 4007), which isIP takes and BlockList does not.
  return req.ip?.replace(/%.*$/, '');
}

function add(list: BlockList, entry: unknown): void {
  const [address = '', prefix, ...rest] = typeof entry === 'string' ? entry.split('/') : [];
  const family = isIP(address);
  const bits = family === 6 ? 128 : 32;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  if (family === 0 || address.includes('%') || rest.length > 0 || length > bits) {
    throw new TypeError(
      `health: "access" must hold addresses and CIDR ranges such as "10.0.0.0/8", got ${shown(entry)}`,
    );
  }
  list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
}
