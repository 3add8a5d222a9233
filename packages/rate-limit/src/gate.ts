import { addressList, clientAddress } from '@signalbox/context';
import { ForbiddenError } from '@signalbox/errors';
import { requireFunction } from '@signalbox/options';
import type { Request } from 'express';
import { withoutPort } from './address.js';

/** Who is not limited at all, and who is not let in. */
export interface GateOptions {
  /**
   * Addresses and networks that are not limited.
   * @default []
   */
  allow?: readonly string[] | undefined;
  /**
   * Addresses and networks that are refused with 403 `address_denied`.
   * @default []
   */
  deny?: readonly string[] | undefined;
  /** Whether the limit does not apply to a request. */
  skip?: ((req: Request) => boolean) | undefined;
}

/** `limit` it, let it `pass`, or the error by which it is refused. */
export type Admission = 'limit' | 'pass' | ForbiddenError;

/**
 * @returns `undefined` where every request is limited
 * @throws {TypeError} when an option is wrong
 */
export function gateOf(owner: string, options: GateOptions): ((req: Request) => Admission) | undefined {
  const { allow = [], deny = [], skip } = options;
  const allowed = addressList(allow, `${owner}: "allow"`);
  const denied = addressList(deny, `${owner}: "deny"`);
  if (skip !== undefined) requireFunction(owner, 'skip', skip);
  if (allow.length === 0 && deny.length === 0 && skip === undefined) return undefined;

  /** The address that is believed, and that of the peer: a forged header must not lead past the list. */
  function isDenied({ ip, socket }: Request): boolean {
    return denied.has(ip === undefined ? undefined : withoutPort(ip)) || denied.has(socket.remoteAddress);
  }

  return function admit(req) {
    if (deny.length > 0 && isDenied(req)) {
      return new ForbiddenError('Requests from this address are not accepted', { code: 'address_denied' });
    }
    if (allow.length > 0 && allowed.has(clientAddress(req))) return 'pass';
    return skip?.(req) === true ? 'pass' : 'limit';
  };
}
