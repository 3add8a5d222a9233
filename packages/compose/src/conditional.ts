import { declareMount } from '@signalbox/context';
import { requireFunction, shown } from '@signalbox/options';
import type { Request, RequestHandler } from 'express';
import { pathMatcher } from './path-matcher.js';

/** Says of a request, at once, whether something applies to it. */
export type Predicate = (req: Request) => boolean;

/**
 * Runs a middleware for every request but those on some paths.
 *
 * A path is exact (`/health`, with or without a slash at its end) or everything below (`/assets/*`), in the case
 * and encoding in which the client sent it, below the mount path (`req.path`). In doubt the middleware runs: a
 * path that some server might read as another one (`..`, `%2e`, `%2f`, `\`) is never below.
 *
 * @param exceptions paths, or a function that says which requests are left out
 * @throws {TypeError} when a path does not begin with a slash, or has a `*` anywhere but at its end
 *
 * @example
 * app.use(unless(['/health', '/livez', '/assets/*'], authenticate));
 */
export function unless(
  exceptions: string | readonly string[] | Predicate,
  middleware: RequestHandler,
): RequestHandler {
  requireMiddleware('unless', middleware);
  if (typeof exceptions === 'function') {
    return leadingTo(middleware, function unlessMiddleware(req, res, next) {
      return decide('unless', exceptions, req) ? next() : middleware(req, res, next);
    });
  }
  const isException = pathMatcher('unless', 'exceptions', exceptions);
  return leadingTo(middleware, function unlessMiddleware(req, res, next) {
    return isException(req.path) ? next() : middleware(req, res, next);
  });
}

/**
 * Runs a middleware only for the requests of which `predicate` says so.
 *
 * It takes no paths: `app.use('/admin', middleware)` knows how Express matches them, in any case and with or
 * without a slash, where a rule of its own would be a way around the middleware.
 *
 * @throws {TypeError} when an argument is no function
 *
 * @example
 * app.use(when((req) => req.method === 'POST', csrf()));
 */
export function when(predicate: Predicate, middleware: RequestHandler): RequestHandler {
  requireFunction('when', 'predicate', predicate);
  requireMiddleware('when', middleware);

  return leadingTo(middleware, function whenMiddleware(req, res, next) {
    return decide('when', predicate, req) ? middleware(req, res, next) : next();
  });
}

/** A router's routes are found through it, by the log, the metrics and the route table. */
function leadingTo(middleware: RequestHandler, conditional: RequestHandler): RequestHandler {
  declareMount(conditional, middleware);
  return conditional;
}

/** A promise would always be true, and whatever it says too late. */
function decide(name: string, predicate: Predicate, req: Request): boolean {
  const answer: unknown = predicate(req);
  if (typeof answer === 'boolean') return answer;
  if (typeof answer === 'object' && answer !== null && 'then' in answer) {
    throw new TypeError(`${name}: the predicate must answer at once, got a promise`);
  }
  return Boolean(answer);
}

function requireMiddleware(name: string, middleware: RequestHandler): void {
  if (typeof middleware === 'function' && middleware.length <= 3) return;
  const got = typeof middleware === 'function' ? 'an error handler' : shown(middleware);
  throw new TypeError(`${name}: "middleware" must be a middleware, got ${got}`);
}
