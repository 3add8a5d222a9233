import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { facts, takeUpgrades } from '@signalbox/context';
import { HttpError, MethodNotAllowedError } from '@signalbox/errors';
import type { Request } from 'express';
import type { HealthCheckOptions, UpstreamHealth } from './health.js';
import { watchClient } from './proxy-client.js';
import { ProxyRequestError } from './proxy-errors.js';
import { ProxyExchange } from './proxy-exchange.js';
import type { OutgoingRequest } from './proxy-outgoing.js';
import { resolveProxyOptions, type ProxyOptions, type ProxySettings } from './proxy-options.js';
import { isConsumed, isSmall, readSmall, UploadBody, writeParsed } from './proxy-request-body.js';
import { OutgoingHeaders, type ProxyRequest } from './proxy-request-headers.js';
import { beginsWith, withoutSlash } from './proxy-paths.js';
import { createTargets, type Targets } from './proxy-targets.js';
import { connectionOf, responseOn } from './proxy-tunnel.js';
import { createWatch, type ProxyCore } from './proxy-watch.js';
import type { ServerReport } from './server.js';

/** A proxy, as an operator sees it. */
export interface ProxyReport {
  upstream: string;
  mode: 'preference' | 'balance';
  inFlight: number;
  /** Open WebSockets. */
  tunnels: number;
  servers: ServerReport[];
}

/** Which requests to upgrade are the proxy's, and what they go through before. */
export interface AttachOptions {
  /** They begin with this path, at a segment's end. */
  path: string;
  /**
   * The app in which the proxy is mounted: all its middlewares see the request, and may refuse it. Without
   * one nothing does: authentication is up to you, and `path` is taken off here.
   */
  app?: RequestListener | undefined;
}

/** The middleware, and what concerns all its requests. */
export interface Proxy {
  /**
   * For `app.use`, and as well for a server without Express: `next` is called where `to` names nobody, and with an error;
   * also when an answer breaks off whose head is out, the rest of which is cut then.
   */
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void;
  /** Takes requests to upgrade to WebSocket from a server. Returns what ends that. */
  readonly attach: (server: HttpServer, options: AttachOptions) => () => void;
  /** Takes one request to upgrade, as the server's `upgrade` event hands it over. Nothing is checked before. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Asks every server how it is; those that are well go back into the rotation. */
  readonly check: (options?: HealthCheckOptions) => Promise<UpstreamHealth>;
  readonly state: () => ProxyReport;
  /** Ends WebSockets at once, and connections to the upstream once the requests under way are done. Can be repeated. */
  readonly close: () => Promise<void>;
}

/**
 * Passes requests on to other servers, and their answers back, as they come: nothing is kept but what is on
 * its way. Several servers share the load; one that fails is left out for a time.
 *
 * An upstream that fails before it has answered becomes an error: {@link UpstreamUnavailableError} 502 or 503,
 * {@link UpstreamTimeoutError} 504, {@link UpstreamInvalidResponseError} 502. One that fails later ends the
 * connection, so that nobody takes the half for the whole.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * const shop = proxy({ to: ['http://10.0.0.7:8080', 'http://10.0.0.8:8080'] });
 * app.use('/shop', shop);
 * shop.attach(server, { path: '/shop', app });
 */
export function proxy(options: ProxyOptions): Proxy {
  const settings = resolveProxyOptions(options);
  const targets = createTargets(settings);
  const core: ProxyCore = {
    settings,
    targets,
    watch: createWatch(Math.min(settings.timeoutMs, settings.idleTimeoutMs)),
  };
  const tunnels = new Set<Duplex>();
  let closing: Promise<void> | undefined;

  function endTunnels(): void {
    for (const socket of tunnels) socket.destroy();
  }

  function proxyMiddleware(req: ProxyRequest, res: ServerResponse, next: (error?: unknown) => void): void {
    let exchange: ProxyExchange | undefined;
    try {
      exchange = begin(core, targets, req, res, next);
    } catch (error) {
      next(error);
    }
    exchange?.start();
  }

  function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, app?: RequestListener): void {
    const res = responseOn(req, { socket, head, tunnels });
    if (res === undefined) return;
    if (app === undefined) proxyMiddleware(req, res, (error) => answerPlainly(res, error));
    else app(req, res);
  }

  return Object.assign(proxyMiddleware, {
    attach(server: HttpServer, { path, app }: AttachOptions) {
      const prefix = withoutSlash(path);
      return takeUpgrades(server, {
        owns: ({ url = '' }) => beginsWith(url, prefix),
        take(req, socket, head) {
          if (app === undefined) mount(req, prefix);
          upgrade(req, socket, head, app);
        },
      });
    },
    upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => upgrade(req, socket, head),
    check: (checkOptions?: HealthCheckOptions) => targets.check(checkOptions),
    state(): ProxyReport {
      const servers = targets.state();
      return {
        upstream: settings.name,
        mode: settings.upstream.mode,
        inFlight: servers.reduce((sum, { inFlight }) => sum + inFlight, 0),
        tunnels: tunnels.size,
        servers,
      };
    },
    close() {
      endTunnels();
      // Once more, for handshakes that were under way.
      closing ??= targets.close().then(endTunnels);
      return closing;
    },
  });
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** About the whole server, or as the last one on its way (RFC 9110 sections 7.6.2 and 9.3.7). */
function asksThisHop({ url, headers }: ProxyRequest): boolean {
  return url === '*' || /^0+$/.test(String(headers['max-forwards']));
}

/** Makes ready what is to be sent. Returns `undefined` when a body is to be waited for, or there is nothing to send. */
function begin(
  core: ProxyCore,
  targets: Targets,
  req: ProxyRequest,
  res: ServerResponse,
  next: (error?: unknown) => void,
): ProxyExchange | undefined {
  const { settings } = core;
  // First: what is to be found wrong with a request that goes to somebody else is not up to this proxy.
  const target = targets.of(req);
  if (target === undefined) {
    next();
    return undefined;
  }
  const method = req.method ?? 'GET';
  if (method === 'TRACE' || method === 'CONNECT') throw new MethodNotAllowedError(METHODS);
  if (method === 'OPTIONS' && asksThisHop(req)) {
    res.writeHead(204, { Allow: METHODS.join(', ') }).end();
    return undefined;
  }
  const connection = connectionOf(req);
  if (connection !== undefined) requireWebSocket(req);
  const wasRead = isConsumed(req);
  const path = settings.paths.forward(req);
  const headers = new OutgoingHeaders(req, settings, wasRead);
  noteFacts(req, settings);
  const { fields, signsConnectionIn: endsConnection } = headers;
  const request: OutgoingRequest = { method, path, fields, body: null, connection, endsConnection };
  if (headers.contentLength !== undefined && headers.contentLength > settings.maxRequestBytes)
    throw tooLarge(settings);

  const exchange = new ProxyExchange(core, target, req, res, next, request);
  if (wasRead) {
    const body = writeParsed(req, headers);
    // It came without a length, or compressed.
    if (body !== null && body.length > settings.maxRequestBytes) throw tooLarge(settings);
    request.body = body;
  } else if (headers.hasBody && isSmall(headers)) {
    readSmall(req, (body) => {
      request.body = body;
      watchClient(req, res);
      exchange.start();
    });
    return undefined;
  } else if (headers.hasBody) {
    request.body = new UploadBody(req, settings.maxRequestBytes, () => exchange.refuse(tooLarge(settings)));
  }
  watchClient(req, res);
  return exchange;
}

/** Other protocols are ways around what was checked here: h2c carries requests that nobody has seen. */
function requireWebSocket(req: ProxyRequest): void {
  if (req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket') return;
  throw new ProxyRequestError(400, 'unsupported_upgrade', 'The only protocol to upgrade to is WebSocket.');
}

/** For the request's one log line. */
function noteFacts(req: ProxyRequest, { route }: ProxySettings): void {
  if (route !== undefined) facts(req as Request).route = route;
}

function tooLarge({ maxRequestBytes }: ProxySettings): ProxyRequestError {
  return new ProxyRequestError(413, 'payload_too_large', `The body is larger than ${maxRequestBytes} bytes.`);
}

/** As Express does it for a middleware that is mounted. */
function mount(req: ProxyRequest, prefix: string): void {
  const rest = (req.url ?? '').slice(prefix.length);
  req.url = rest.startsWith('/') ? rest : `/${rest}`;
  req.baseUrl = prefix;
}

/** Where there is no app, and so no error handler. */
function answerPlainly(res: ServerResponse, error: unknown): void {
  if (res.headersSent) return;
  res.statusCode = error instanceof HttpError ? error.status : error === undefined ? 404 : 500;
  res.setHeader('Content-Length', 0);
  res.end();
}
