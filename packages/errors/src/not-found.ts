import type { RequestHandler } from 'express';
import { MethodNotAllowedError, NotFoundError } from './named-errors.js';

/** Passes every request that reaches it on as a {@link NotFoundError}. Mount it after all routes. */
export function notFound(): RequestHandler {
  return function notFoundMiddleware(req, _res, next) {
    // A scan for paths costs a stack trace a request otherwise, and nobody reads that of a 404.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const error = new NotFoundError(`Nothing answers ${req.method} here`);
    Error.stackTraceLimit = stackTraceLimit;
    next(error);
  };
}

/**
 * Ends a route that has other methods: 405 with `Allow` (RFC 9110 section 15.5.6).
 *
 * @param methods those the resource has; by default those of the route it stands in
 *
 * @example
 * app.route('/users').get(list).post(create).all(methodNotAllowed());
 */
export function methodNotAllowed(...methods: readonly string[]): RequestHandler {
  const given = methods.map((method) => method.toUpperCase());

  return function methodNotAllowedMiddleware(req, _res, next) {
    const allow = given.length > 0 ? given : methodsOf(req.route);
    next(new MethodNotAllowedError(allow, `${req.method} is not a method of this resource`));
  };
}

function methodsOf(route: unknown): string[] {
  const { methods = {} } = (route ?? {}) as { methods?: Record<string, boolean> };
  const allow = Object.keys(methods).filter((method) => method !== '_all');
  // Express answers HEAD with the handler of GET.
  if (allow.includes('get') && !allow.includes('head')) allow.push('head');
  return allow.map((method) => method.toUpperCase());
}
