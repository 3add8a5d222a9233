import { ProxyLoopError } from './proxy-errors.js';

/** So many proxies are no route, but a circle whose members do not know each other. */
const MAX_HOPS = 30;

/** @throws {ProxyLoopError} where the request has come through too many proxies, or through this one */
export function checkedVia(via: string, pseudonym: string): string {
  const hops = via.split(',');
  if (hops.length > MAX_HOPS) throw new ProxyLoopError('The request has come through too many proxies.');
  for (const hop of hops) {
    if (hop.trim().split(/\s+/)[1] === pseudonym) {
      throw new ProxyLoopError('The request has come through this proxy before.');
    }
  }
  return via;
}
