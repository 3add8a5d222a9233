import { createHash, timingSafeEqual } from 'node:crypto';
import { addressList, clientAddress } from '@signalbox/context';
import { ForbiddenError, UnauthorizedError } from '@signalbox/errors';
import { wrongSecret } from '@signalbox/options';
import type { Request } from 'express';

/** Who may read the metrics: whoever comes from an allowed address or knows the token. */
export interface AccessOptions {
  /**
   * Addresses and networks, such as `10.0.0.0/8`, judged after trusted proxies.
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
  const allowed = addressList(allow, `${caller}: "allow"`);
  const digests = tokenDigests(caller, token);

  return function requireAccess(req) {
    if (allowed.has(clientAddress(req))) return;
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

function tokenDigests(caller: string, token: unknown): Buffer[] {
  const tokens: unknown[] = Array.isArray(token) ? token : [token];
  return tokens.map((each) => {
    if (typeof each !== 'string' || !/^\S+$/.test(each)) {
      throw wrongSecret(caller, 'token', 'a string without spaces, or a list of them', each);
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
