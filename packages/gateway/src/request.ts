import { currentRequest, traceHeaders } from '@signalbox/context';
import type { UpstreamSettings } from './options.js';

/** A request to an upstream. */
export interface UpstreamRequestOptions {
  /** @default 'GET' */
  method?: string | undefined;
  /**
   * Begins with `/`, is already percent-encoded, and has no `..` segments.
   * @default '/'
   */
  path?: string | undefined;
  /** Added to the path; `undefined` values are left out, a list gives one field for each. */
  query?: Readonly<Record<string, QueryValue | readonly QueryValue[]>> | URLSearchParams | undefined;
  headers?: Readonly<Record<string, string | undefined>> | undefined;
  body?: string | Uint8Array | undefined;
  /** Ends the request, here and at the upstream. By default the signal of the running request. */
  signal?: AbortSignal | undefined;
  /**
   * Most that this call may take, in milliseconds, where it is less than the upstream's `deadlineMs`. The
   * deadline of the running request holds as well.
   */
  deadlineMs?: number | undefined;
  /**
   * The kind of call, such as `search`: has a breaker of its own, and is named in signals. A constant of
   * the program, never made of input.
   * @default 'default'
   */
  route?: string | undefined;
  /** Whether it may be sent twice. By default as its method says (RFC 9110 section 9.2.2). */
  idempotent?: boolean | undefined;
  /** Asks only this server, by its index in `urls`. */
  server?: number | undefined;
}

/** `undefined` is left out. */
export type QueryValue = string | number | boolean | undefined;

/** A request, ready to be sent to whichever server. */
export interface PreparedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
  signal: AbortSignal | undefined;
  route: string;
  idempotent: boolean;
  deadlineMs: number;
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

/**
 * Checks and completes a request.
 *
 * @throws {TypeError} for what no server could be sent
 */
export function prepareRequest(settings: UpstreamSettings, request: UpstreamRequestOptions): PreparedRequest {
  const { path = '/', query, body, route = 'default' } = request;
  const scope = currentRequest();
  const method = (request.method ?? 'GET').toUpperCase();
  requirePath(settings.name, path);

  return {
    method,
    path: query === undefined ? path : withQuery(path, query),
    headers: headersOf(settings, request.headers),
    body,
    signal: request.signal ?? scope?.signal,
    route,
    idempotent: request.idempotent ?? IDEMPOTENT.has(method),
    deadlineMs: Math.min(
      settings.deadlineMs,
      request.deadlineMs ?? Infinity,
      scope?.deadline === undefined ? Infinity : scope.deadline - performance.now(),
    ),
  };
}

/** Dot segments, plain or encoded: resolved by the upstream, they leave the prefix of its URL. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\?]|$)/i;
const NOT_IN_A_PATH = /[^\u0021-\u007e]|#/;

function requirePath(upstream: string, path: string): void {
  if (!path.startsWith('/')) throw new TypeError(`upstream "${upstream}": "path" must begin with "/"`);
  if (NOT_IN_A_PATH.test(path)) {
    throw new TypeError(`upstream "${upstream}": "path" must be percent-encoded and have no fragment`);
  }
  const pathname = path.split('?', 1)[0] ?? path;
  if (DOT_SEGMENT.test(pathname)) {
    throw new TypeError(`upstream "${upstream}": "path" must have no "." and ".." segments`);
  }
}

function withQuery(path: string, query: NonNullable<UpstreamRequestOptions['query']>): string {
  const fields = query instanceof URLSearchParams ? query : new URLSearchParams();
  if (!(query instanceof URLSearchParams)) {
    for (const [name, values] of Object.entries(query)) {
      for (const value of Array.isArray(values)
        ? (values as readonly QueryValue[])
        : [values as QueryValue]) {
        if (value !== undefined) fields.append(name, String(value));
      }
    }
  }
  const text = fields.toString();
  if (text === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${text}`;
}

/** Lower-case, so that the request's own fields replace the upstream's, and those the defaults. */
function headersOf(
  settings: UpstreamSettings,
  own: UpstreamRequestOptions['headers'],
): Record<string, string> {
  const headers: Record<string, string> = {
    'accept-encoding': 'gzip, br',
    ...traceHeaders(),
    ...settings.headers,
  };
  if (own === undefined) return headers;
  for (const [field, value] of Object.entries(own)) {
    if (value !== undefined) headers[field.toLowerCase()] = value;
  }
  return headers;
}
