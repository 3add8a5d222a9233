import { isIP } from 'node:net';
import { plainAddress } from '@signalbox/context';
import { ipKeyGenerator } from 'express-rate-limit';

/** Of what is no address, and of requests that have none: all of them together. */
const NO_ADDRESS = 'none';

/** `203.0.113.7:4711` and `[2001:db8::1]:4711`, as some proxies write it. */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/;

/** The port would make every connection another caller, and none of them one that is denied. */
export function withoutPort(text: string): string {
  const [, inBrackets, beforePort] = WITH_PORT.exec(text) ?? [];
  return inBrackets ?? beforePort ?? text;
}

/** What a translator makes of IPv4 addresses (RFC 6052 section 2.1): 64:ff9b::/96 has all of them. */
const TRANSLATED = /^0*64:0*ff9b:[:0]/i;

/**
 * The network that is counted as one caller: an IPv4 address, or of IPv6 the prefix. Whoever has one IPv6 address has
 * a network full of them. IPv4 inside IPv6 is IPv4, or by itself, and a zone (`%eth0`) is no part of it.
 */
export function networkOf(text: string | undefined, ipv6Prefix: number): string {
  if (text === undefined) return NO_ADDRESS;
  const address = plainAddress(withoutPort(text));
  // Each nonsense by its own would be a way around the limit.
  if (isIP(address) === 0) return NO_ADDRESS;
  return ipKeyGenerator(address, TRANSLATED.test(address) ? 128 : ipv6Prefix);
}
