import { facts } from '@signalbox/context';
import type { RequestHandler } from 'express';
import { requireSlowMs } from './check-options.js';

/**
 * Sets from when on a request is slow, for the routes below it.
 *
 * @param slowMs in milliseconds; `Infinity` for never, as for event streams
 * @throws {TypeError} when it is not a number above 0
 *
 * @example
 * app.post('/api/ocr', slowAfter(10_000), recognize);
 */
export function slowAfter(slowMs: number): RequestHandler {
  requireSlowMs('slowAfter', slowMs);

  return function slowAfterMiddleware(req, _res, next) {
    facts(req).slowMs = slowMs;
    next();
  };
}
