import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP, BlockList } from 'node:net';
import { ForbiddenError, UnauthorizedError } from '@signalbox/errors';
import type { Request } from 'express';

/** Who may read the metrics: whoever comes from an allowed address or knows the token. */
export interface AccessOptions {
  /**
   * Addresses and networks, such as `10.0.0.0/8`. The address is `req.ip`, so `trust proxy` counts.
   * @default ['127.0.0.0/8', '::1']
   */
  allow?: readonly string[] | undefined;
  /** Bearer token that opens the metrics from anywhere; a list while one replaces another. */
  token?: string | readonly string[] | undefined;
}

const LOOPBACK = ['127.0.0.0/8', '::1'];

/** Makes a check that throws a 401 or 403 where the request may not read. */
export function accessCheck(caller: string, options: AccessOptions): (req: Request) => void {
  const { allow = LOOPBACK, token = [] } = options;
  const allowed = networks(caller, allow);
  const digests = tokenDigests(caller, token);

  return function requireAccess(req) {
    if (isFromAllowed(req, allowed)) return;
    if (digests.length === 0) throw new ForbiddenError('The metrics are not open to this address.');
    const sent = /^Bearer +(\S+) *$/i.exec(req.headers.authorization ?? '')?.[1];
    // RFC 6750 section 3: no error code where no credentials came.
    if (sent === undefined) throw unauthorized('Bearer');
    if (!isOneOf(sent, digests)) throw unauthorized('Bearer error="invalid_token"');
  };
}

function unauthorized(challenge: string): UnauthorizedError {
  return new UnauthorizedError('The metrics need a bearer token.', {
    headers: { 'WWW-Authenticate': challenge },
  });
}

/** Parses addresses and networks, or throws a `TypeError`. */
function networks(caller: string, entries: unknown): BlockList {
  const list = new BlockList();
  if (!Array.isArray(entries)) throw badEntry(caller, entries);
  for (const entry of entries) {
    if (typeof entry !== 'string') throw badEntry(caller, entry);
    const [address = '', prefix, ...more] = entry.split('/');
    const version = isIP(address);
    const bits = prefix === undefined ? widthOf(version) : Number(prefix);
    const fits = version !== 0 && more.length === 0 && prefix !== '' && Number.isInteger(bits) && bits >= 0;
    if (!fits || bits > widthOf(version)) throw badEntry(caller, entry);
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function widthOf(version: number): number {
  return version === 6 ? 128 : 32;
}

function badEntry(caller: string, entry: unknown): TypeError {
  return new TypeError(
    `${caller}: "allow" must be a list of addresses and networks, got ${JSON.stringify(entry)}`,
  );
}

/** The fields in which proxies name the client (RFC 7239, and what was there before it). */
const FORWARDING_FIELDS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'] as const;

/**
 * Judges the client, not the proxy in front of it. A request that came through a proxy which Express does not
 * trust has an unknown origin: without this, a proxy on the same host would open the metrics to the world.
 */
function isFromAllowed(req: Request, allowed: BlockList): boolean {
  const { remoteAddress } = req.socket;
  const isForwarded = FORWARDING_FIELDS.some((field) => req.headers[field] !== undefined);
  const trust = req.app.get('trust proxy fn') as (address: string | undefined, hop: number) => boolean;
  if (isForwarded || remoteAddress === undefined) {
    // Express reads this field alone; with any other, `req.ip` is still the proxy.
    if (req.headers['x-forwarded-for'] === undefined) return false;
    if (!trust(remoteAddress, 0)) return false;
    // `trust proxy: true` believes whatever the client writes into the field.
    if (trust(DOCUMENTATION_ADDRESS, Number.MAX_SAFE_INTEGER)) return false;
  }
  const address = req.ip?.replace(/%.*$/, '') ?? '';
  const version = isIP(address);
  return version !== 0 && allowed.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** RFC 5737: nobody's, so nobody trusts it who does not trust everybody. */
const DOCUMENTATION_ADDRESS = '192.0.2.1';

function tokenDigests(caller: string, token: unknown): Buffer[] {
  const tokens: unknown[] = Array.isArray(token) ? token : [token];
  return tokens.map((each) => {
    if (typeof each !== 'string' || !/^\S+$/.test(each)) {
      // Not shown: it may be a secret with a typing error.
      throw new TypeError(`${caller}: "token" must be a string without spaces, or a list of them`);
    }
    return digestOf(each);
  });
}

/** Compares all, each in constant time: digests are of one length. */
function isOneOf(token: string, digests: readonly Buffer[]): boolean {
  const digest = digestOf(token);
  let found = false;
  for (const each of digests) found = timingSafeEqual(each, digest) || found;
  return found;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
