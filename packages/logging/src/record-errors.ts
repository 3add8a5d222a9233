import type { ErrorRequestHandler } from 'express';

/**
 * Shows the errors of an app to its request logger and passes them on. Needed only where the error
 * handler that follows does not do so itself: Express' own, for instance, writes to stderr and tells
 * nobody, and the line of such a request would be an error without a cause.
 *
 * @example
 * app.use(recordErrors(), (error, req, res, next) => res.status(500).end());
 */
export function recordErrors(): ErrorRequestHandler {
  return function recordErrorsMiddleware(error, _req, res, next) {
    if ('err' in res) res.err = error;
    next(error);
  };
}
