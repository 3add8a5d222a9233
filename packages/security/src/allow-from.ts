import { addressList, clientAddress } from '@signalbox/context';
import { signals } from '@signalbox/signals';
import type { RequestHandler } from 'express';
import { AddressNotAllowedError } from './errors.js';

/**
 * Lets requests through only from addresses and networks, judged after trusted proxies.
 *
 * Who cannot be known is refused: a request that was forwarded by a peer that the app does not trust, or that came
 * over a Unix socket without a trusted proxy's word. So a proxy on the same host opens nothing by accident.
 *
 * @param addresses such as `['127.0.0.0/8', '::1']`
 * @throws {TypeError} when an entry is neither an address nor a network, at construction
 *
 * @example
 * app.use('/admin', allowFrom(['127.0.0.0/8', '::1', '10.20.0.0/16']));
 */
export function allowFrom(addresses: readonly string[]): RequestHandler {
  const allowed = addressList(addresses, 'allowFrom: "addresses"');

  return function allowFromMiddleware(req, _res, next) {
    const address = clientAddress(req);
    if (allowed.has(address)) return next();
    if (signals.securityFinding.hasSubscribers) {
      const rule = address === undefined ? 'address_unknown' : 'address_not_listed';
      signals.securityFinding.publish({ kind: 'address', rule, enforced: true });
    }
    next(new AddressNotAllowedError());
  };
}
