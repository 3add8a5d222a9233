import { addressList, clientAddress } from '@signalbox/context';
import { wrongOption } from '@signalbox/options';
import type { Request } from 'express';

/** Addresses and CIDR ranges that may read the details, or a function that says so for a request. */
export type DetailAccess = readonly string[] | ((req: Request) => boolean | Promise<boolean>);

export type AccessRule = (req: Request) => boolean | Promise<boolean>;

/** @throws {TypeError} when an entry is no address or range */
export function resolveAccess(access: DetailAccess): AccessRule {
  if (typeof access === 'function') return access;
  if (!Array.isArray(access)) {
    throw wrongOption('health', 'access', 'an array of addresses or a function', access);
  }
  const allowed = addressList(access as readonly string[], 'health: "access"');
  return (req) => allowed.has(clientAddress(req));
}
