import { facts } from '@signalbox/context';
import { requireNumber } from '@signalbox/options';
import type { RequestHandler } from 'express';

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
  requireNumber('slowAfter', 'slowMs', slowMs, { above: 0 });

  return function slowAfterMiddleware(req, _res, next) {
    facts(req).slowMs = slowMs;
    next();
  };
}
