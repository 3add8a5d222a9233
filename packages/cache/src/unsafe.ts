import type { Request, Response } from 'express';
import type { Engine } from './engine.js';
import { beforeHead } from './reply.js';
import { hostOf, isOverride, requestKey } from './request-key.js';

/** RFC 9110 section 9.2.1: all other methods, also those that nobody knows, may change something. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** As clients send it to proxies (RFC 9112 section 3.2.2). */
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

export function isUnsafe(req: Request): boolean {
  return !SAFE.has(req.method);
}

/**
 * Forgets what is kept for a URL once a request that may have changed it has succeeded (RFC 9111 section 4.4), and what
 * is kept for the URLs of the same origin that the answer names.
 */
export function watchUnsafe(engine: Engine, req: Request, res: Response): void {
  // Before the client hears of it: its next request may come at once.
  function forget(): void {
    if (res.statusCode >= 400) return;
    drop(engine, req, req.originalUrl.replace(ABSOLUTE_FORM, ''));
    for (const name of ['location', 'content-location']) {
      const target = sameOrigin(req, res.getHeader(name));
      if (target !== undefined) drop(engine, req, target);
    }
  }

  beforeHead(res, forget);
}

function drop(engine: Engine, req: Request, url: string): void {
  const key = keyOf(engine, req, url);
  if (typeof key === 'string') return;
  // Those who wait ask once more, together.
  engine.flights.get(key)?.land('failed');
  const removed = engine.store.remove(key);
  if (removed instanceof Promise) removed.catch(() => undefined);
}

/** What the app's own function throws says that nothing can be kept under it, and reaches nobody who writes an answer. */
function keyOf(engine: Engine, req: Request, url: string): ReturnType<typeof requestKey> {
  try {
    return requestKey(asRead(req, url), engine.settings.keys);
  } catch {
    return 'key';
  }
}

/** The request, as one that asks for the URL: without what only its body brings along, and what it is made into. */
function asRead(req: Request, url: string): Request {
  const {
    'content-length': _length,
    'transfer-encoding': _encoding,
    connection: _connection,
    ...headers
  } = req.headers;
  for (const name of Object.keys(headers)) if (isOverride(name)) delete headers[name];
  const isOwn = url === req.originalUrl;
  return Object.create(req, {
    headers: { value: headers },
    stream: { value: undefined },
    originalUrl: { value: url },
    baseUrl: { value: isOwn ? req.baseUrl : '' },
    url: { value: isOwn ? req.url : url },
  }) as Request;
}

function sameOrigin(req: Request, target: unknown): string | undefined {
  if (typeof target !== 'string' || target === '') return undefined;
  const host = hostOf(req);
  try {
    const url = new URL(target, `http://${host}${req.originalUrl}`);
    // A port that goes without saying may have been said.
    const own = new URL(`${url.protocol}//${host}`);
    return url.host === own.host ? url.pathname + url.search : undefined;
  } catch {
    return undefined;
  }
}
