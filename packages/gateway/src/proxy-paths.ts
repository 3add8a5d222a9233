import type { IncomingMessage } from 'node:http';
import { ProxyRequestError } from './proxy-errors.js';

/** Another beginning for paths: `{ '/api': '/v2' }`. The longest that fits is taken, at a segment's end. */
export type PathMap = Readonly<Record<string, string>>;

/** Makes of a path, with its query, the path that the upstream is asked for. */
export type PathRewrite = (path: string, req: IncomingMessage) => string;

/** Changes paths on their way to the upstream, and back in what it answers. */
export interface Paths {
  forward(req: IncomingMessage): string;
  /** The path by which clients know what the upstream calls `path`; its prefix is gone already. */
  back(path: string): string;
}

/** Dot segments, plain or encoded: resolved by the upstream, they leave the prefix of its URL. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\;?]|$)/i;
/** As {@link DOT_SEGMENT} behind a slash that is encoded, which some upstreams decode first. */
const ENCODED_DOT_SEGMENT = /(?:%2f|%5c|[/\\])(?:\.|%2e){1,2}(?:%2f|%5c|[/\\;]|$)/i;
const NOT_IN_A_TARGET = /[^\u0021-\u007e]|#/;
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

export function createPaths(rewrite: PathMap | PathRewrite | undefined): Paths {
  if (rewrite === undefined) return { forward: requestPath, back: (path) => path };
  if (typeof rewrite === 'function') {
    return {
      // What takes a beginning off leaves nothing of `/api`, and `?q` of `/api?q`.
      forward: (req) => checked(withSlash(rewrite(requestPath(req), req))),
      // Nobody knows the way back; the option `location` does.
      back: (path) => path,
    };
  }
  const pairs = Object.entries(rewrite).map(([from, to]) => [withoutSlash(from), withoutSlash(to)] as const);
  const there = [...pairs].toSorted(([a], [b]) => b.length - a.length);
  const home = pairs.map(([from, to]) => [to, from] as const).toSorted(([a], [b]) => b.length - a.length);
  return {
    forward: (req) => mapped(requestPath(req), there),
    back: (path) => mapped(path, home),
  };
}

/** The path and query of a request, where it is mounted. */
function requestPath(req: IncomingMessage): string {
  let path = req.url ?? '/';
  if (path.charCodeAt(0) !== SLASH) {
    // The absolute form, as clients send it to proxies (RFC 9112 section 3.2.2): its host has no say here.
    path = path.replace(ABSOLUTE_FORM, '');
    if (path.charCodeAt(0) !== SLASH) path = `/${path}`;
  }
  return checked(path);
}

const SLASH = 47;

/** @throws {ProxyRequestError} for a path that a server might read as another one */
function checked(path: string): string {
  if (NOT_IN_A_TARGET.test(path)) throw notEncoded();
  // Nearly no path has a dot after a slash, and those regular expressions cost.
  if (path.includes('/.') || path.includes('%') || path.includes('\\')) {
    const end = path.indexOf('?');
    const pathname = end === -1 ? path : path.slice(0, end);
    // Some servers take it for a slash. In a query, where browsers send it as it is, it is a letter like any other.
    if (pathname.includes('\\')) throw notEncoded();
    if (DOT_SEGMENT.test(pathname) || ENCODED_DOT_SEGMENT.test(pathname)) {
      throw new ProxyRequestError(400, 'invalid_path', 'The path has "." or ".." segments.');
    }
  }
  return path;
}

function notEncoded(): ProxyRequestError {
  return new ProxyRequestError(400, 'invalid_path', 'The path has characters that have to be encoded.');
}

function mapped(path: string, pairs: readonly (readonly [string, string])[]): string {
  for (const [from, to] of pairs) {
    if (!beginsWith(path, from)) continue;
    const rest = path.slice(from.length);
    return to === '' ? withSlash(rest) : to + rest;
  }
  return path;
}

function withSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** Whether `path` is `prefix`, or below it. */
export function beginsWith(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  if (path.length === prefix.length) return true;
  const next = path[prefix.length];
  return prefix === '' || next === '/' || next === '?' || next === '#';
}

export function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '');
}
