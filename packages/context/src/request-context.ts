import type { Application, Request, RequestHandler } from 'express';
import { extendPrototypes } from './app-prototypes.js';
import { scopeOf, storage } from './scope.js';
import { uuidV7 } from './uuid-v7.js';

/** Options of {@link requestContext}. */
export interface RequestContextOptions {
  /**
   * Whether an `X-Request-ID` that comes with the request is taken over.
   * @default only from peers that the app's `trust proxy` setting trusts
   */
  trustRequestId?: boolean | ((req: Request) => boolean) | undefined;
  /**
   * Makes the id of a request that brings none.
   * @default a UUIDv7 (RFC 9562)
   */
  generateId?: ((req: Request) => string) | undefined;
}

/** Nothing that could break a log line, a header or a shell. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Gives every request an id, a trace and a scope, which `currentRequest()` finds anywhere below. Mount
 * it first.
 *
 * `req.id` is the caller's `X-Request-ID` where the peer is trusted and the value is 1 to 128 of
 * `[A-Za-z0-9._:-]`, and new otherwise; every response carries it. `req.trace` continues the caller's
 * `traceparent` (W3C Trace Context).
 *
 * @throws {TypeError} when an option is not what it should be, at construction
 *
 * @example
 * app.use(requestContext());
 */
export function requestContext(options: RequestContextOptions = {}): RequestHandler {
  const { trustRequestId, generateId } = resolveOptions(options);
  let extendedApp: Application | undefined;

  return function requestContextMiddleware(req, res, next) {
    if (req.app !== extendedApp) {
      extendedApp = req.app;
      extendPrototypes(extendedApp);
    }

    const sent = req.headers['x-request-id'];
    const isGood = typeof sent === 'string' && REQUEST_ID.test(sent) && trustRequestId(req);
    const id = isGood ? sent : generateId(req);
    const scope = scopeOf(req);
    scope.id = id;
    scope.entered = true;
    req.id = id;
    res.setHeader('X-Request-ID', id);

    storage.run(scope, next);
  };
}

function resolveOptions(options: RequestContextOptions): {
  trustRequestId: (req: Request) => boolean;
  generateId: (req: Request) => string;
} {
  for (const name of Object.keys(options)) {
    if (name === 'trustRequestId' || name === 'generateId') continue;
    throw new TypeError(
      `requestContext: "${name}" is no option; there are "trustRequestId" and "generateId"`,
    );
  }
  const { trustRequestId = isTrustedPeer, generateId = uuidV7 } = options;

  if (typeof trustRequestId !== 'function' && typeof trustRequestId !== 'boolean') {
    throw new TypeError(
      `requestContext: "trustRequestId" must be a boolean or a function, got ${String(trustRequestId)}`,
    );
  }
  if (typeof generateId !== 'function') {
    throw new TypeError(`requestContext: "generateId" must be a function, got ${String(generateId)}`);
  }
  return {
    trustRequestId: typeof trustRequestId === 'function' ? trustRequestId : () => trustRequestId,
    generateId,
  };
}

/** Asks the setting by which Express itself believes `X-Forwarded-For`. */
function isTrustedPeer(req: Request): boolean {
  const isTrusted: unknown = req.app.get('trust proxy fn');
  return typeof isTrusted === 'function' && isTrusted(req.socket.remoteAddress ?? '', 0) === true;
}
