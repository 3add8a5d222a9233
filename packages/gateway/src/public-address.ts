import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { addressList } from '@signalbox/context';

/** What is not the public internet, by the registries of special-purpose addresses (RFC 6890). */
const NOT_PUBLIC = addressList(
  [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
    // Teredo, ORCHID, documentation and 6to4: inside 2000::/3, and yet no public hosts.
    '2001::/23',
    '2001:db8::/32',
    '2002::/16',
    '3fff::/20',
  ],
  'NOT_PUBLIC',
);

/** All that is handed out of IPv6. IPv4 inside IPv6, NAT64, link-local and unique local addresses are not in it. */
const GLOBAL_IPV6 = addressList(['2000::/3'], 'GLOBAL_IPV6');

/** Whether an address is one of the public internet's. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0 || NOT_PUBLIC.has(address)) return false;
  return family === 4 || GLOBAL_IPV6.has(address);
}

/** Thrown while a connection is made. */
export class PrivateAddressError extends Error {
  readonly code = 'ERR_PRIVATE_ADDRESS';
}

/**
 * Resolves names to public addresses alone. As it is part of making the connection, the address that was
 * checked is the one that is connected to: a name that changes its mind in between gains nothing.
 */
export function publicLookup(resolve: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    const all: LookupOptions = { ...options, all: true };
    resolve(hostname, all, (error, found) => {
      if (error !== null) return callback(error, '');
      const addresses: readonly LookupAddress[] =
        typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      // One private address among public ones is enough: a client tries them all.
      const [first] = addresses;
      if (first === undefined || addresses.some(({ address }) => !isPublicAddress(address))) {
        return callback(new PrivateAddressError('the name does not stand for public addresses alone'), '');
      }
      if (options.all === true) return callback(null, [...addresses]);
      callback(null, first.address, first.family);
    });
  };
}
