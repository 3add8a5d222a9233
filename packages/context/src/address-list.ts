import { BlockList, isIP } from 'node:net';
import { plainAddress } from './client-address.js';

/** Addresses and networks that were checked once, to look addresses up in. */
export interface AddressList {
  /** Whether the address is one of them or in one of them. What is no address is in none. */
  has(address: string | undefined): boolean;
}

/**
 * Parses addresses and networks, such as `10.0.0.0/8` and `::1`. They may overlap.
 *
 * @param entries what the user wrote
 * @param option names the option in the error: `allowFrom: "addresses"`
 * @throws {TypeError} when an entry is neither
 *
 * @example
 * const allowed = addressList(['127.0.0.0/8', '::1'], 'allowFrom: "addresses"');
 * allowed.has('127.0.0.1'); // true
 */
export function addressList(entries: readonly string[], option: string): AddressList {
  const list = new BlockList();
  const all: unknown = entries;
  if (!Array.isArray(all))
    throw new TypeError(`${option} must be a list of addresses and networks, got ${shown(all)}`);
  for (const entry of all as readonly unknown[]) add(list, entry, option);

  return {
    has(address) {
      if (address === undefined) return false;
      const plain = plainAddress(address);
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

function add(list: BlockList, entry: unknown, option: string): void {
  const [written = '', prefix, ...rest] = typeof entry === 'string' ? entry.split('/') : [];
  // A mapped network such as ::ffff:10.0.0.0/104 means the IPv4 one, which is what addresses are looked up as.
  const address = prefix === undefined && !written.includes('%') ? plainAddress(written) : written;
  const family = isIP(address);
  const bits = family === 6 ? 128 : 32;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  if (family === 0 || address.includes('%') || rest.length > 0 || length > bits) {
    throw new TypeError(`${option} must be a list of addresses and networks, got ${shown(entry)}`);
  }
  list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  const mapped = plainAddress(address);
  if (mapped !== address && length >= 96) list.addSubnet(mapped, length - 96, 'ipv4');
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
