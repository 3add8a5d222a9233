import type { Request } from 'express';
import { scopeOf } from './scope.js';

/** What middlewares learn of a request, for its one log line and its metrics. */
export interface Facts {
  /** Who asks, once that is known. */
  userId?: string | undefined;
  /** Such as `v1`. */
  apiVersion?: string | undefined;
  /** What a cache did: `hit`, `miss`, `stale`, … */
  cacheStatus?: string | undefined;
  /** What a limit said: `allowed`, `refused`, … */
  rateLimit?: string | undefined;
  /** What the request is doing, in a word or two; a deadline that expires names it. */
  phase?: string | undefined;
  /** No line in the request log: probes, metrics. */
  silent?: boolean | undefined;
  /** From how many milliseconds this route is slow. */
  slowMs?: number | undefined;
  /** Its deadline expired. */
  timedOut?: boolean | undefined;
  /**
   * Stands for the template of a route where a middleware answers without one, such as `/assets`. Like a
   * template it has no value of the request's in it.
   */
  route?: string | undefined;
  /** Template of the prefix under which the module that answers is mounted, such as `/api/:tenant`. */
  prefix?: string | undefined;
}

/**
 * The facts of a request: an object to read and to write. Works with and without `requestContext()`.
 *
 * @example
 * facts(req).phase = 'asking the search engine';
 */
export function facts(req: Request): Facts {
  return scopeOf(req).facts;
}
