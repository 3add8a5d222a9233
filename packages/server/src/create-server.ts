import { type RequestListener, type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ServeSettings } from './options.js';
import { hasPrototypes, requestClasses } from './request-classes.js';

/** A server with the timeouts of `settings`, and with the request and response classes of `app` if asked. */
export function createNodeServer(app: RequestListener, settings: ServeSettings): Server {
  const { tls, keepAliveTimeoutMs, headersTimeoutMs, requestTimeoutMs, maxHeaderBytes, maxConnections } =
    settings;
  // Node closes late connections when it next looks at them. Looking often, and calling them late by
  // that much earlier, makes the options what their names say: bounds, not minimums.
  const lookEveryMs = Math.min(1_000, Math.ceil(headersTimeoutMs / 10));

  const options = {
    ...(settings.fastPrototypes && hasPrototypes(app) ? requestClasses(app) : undefined),
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: Math.max(1, headersTimeoutMs - lookEveryMs),
    requestTimeout: requestTimeoutMs === 0 ? 0 : Math.max(1, requestTimeoutMs - lookEveryMs),
    connectionsCheckingInterval: lookEveryMs,
    maxHeaderSize: maxHeaderBytes,
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createTlsServer({ handshakeTimeout: headersTimeoutMs, ...tls, ...options });
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  return server;
}
