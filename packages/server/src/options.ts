import type { RequestListener, Server } from 'node:http';
import type { ServerOptions as TlsOptions } from 'node:https';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  wrongOption,
  wrongSecret,
} from '@signalbox/options';
import {
  type DrainBudgets,
  type DrainOptions,
  type Resource,
  checkResources,
  resolveDrainBudgets,
} from './drain-options.js';
import { type ServerLog, requireLog, stderrLog } from './log.js';
import { hasPrototypes } from './request-classes.js';

/** Options of `serve`. All are optional. */
export interface ServeOptions {
  /**
   * Port to listen on; 0 takes a free one. A string of digits, as from the environment, will do.
   * @default 3000, unless `socket` is given
   */
  port?: number | string | undefined;
  /**
   * Address or host name to listen on. `0.0.0.0` or `::` for all.
   * @default '127.0.0.1'
   */
  host?: string | undefined;
  /** Path of a Unix socket to listen on instead of a port. */
  socket?: string | undefined;
  /** File mode of the Unix socket, such as `0o660`. By default the process's umask decides. */
  socketMode?: number | undefined;
  /**
   * Descriptor of a socket that whoever started this process listens on already, in the place of a port: 3 under a
   * socket unit of systemd (sd_listen_fds(3)). Who connects while no process is there waits in it.
   */
  fd?: number | undefined;
  /** Key, certificate and the like: serves HTTPS. */
  tls?: TlsOptions | undefined;
  /**
   * Whether a proxy or load balancer keeps connections to this server. Changes the default of
   * `keepAliveTimeoutMs` and nothing else; `trust proxy` is the app's own setting.
   * @default false
   */
  behindProxy?: boolean | undefined;
  /**
   * How long an idle connection is kept, in milliseconds. Behind a proxy it must be longer than the
   * proxy keeps it, or the proxy sends requests into connections that are just being closed.
   * @default 5_000, or 75_000 with `behindProxy`
   */
  keepAliveTimeoutMs?: number | undefined;
  /**
   * Time within which a request's header fields must be complete, in milliseconds.
   * @default 30_000
   */
  headersTimeoutMs?: number | undefined;
  /**
   * Time within which a whole request, its body included, must have arrived, in milliseconds; 0 for
   * no bound. How long the answer may take is not limited here.
   * @default 60_000
   */
  requestTimeoutMs?: number | undefined;
  /**
   * Size of request line and header fields together, in bytes.
   * @default 8_192
   */
  maxHeaderBytes?: number | undefined;
  /** Open connections, beyond which new ones are closed at once. By default there is no such bound. */
  maxConnections?: number | undefined;
  /**
   * Whether requests and responses are born with the app's prototypes, which takes away most of what
   * Express costs on Node 20 and 22, and some on later lines.
   * @default true for an Express app, false for a plain listener
   */
  fastPrototypes?: boolean | undefined;
  /**
   * Whether V8 may make objects old from the start, as it does by itself. It is wrong about those of requests, and
   * that costs a server whose requests wait for something up to a third of what it can answer. The choice holds for
   * the whole process.
   * @default false
   */
  pretenuring?: boolean | undefined;
  /** How long each part of a drain may take. */
  drain?: DrainOptions | undefined;
  /** What is closed, in order, once requests are answered. */
  resources?: readonly Resource[] | undefined;
  /**
   * Whether SIGTERM and SIGINT drain the server and end the process.
   * @default true
   */
  signals?: boolean | undefined;
  /** Told of the start, the drain's report and faults. By default warnings and errors go to stderr. */
  log?: ServerLog | undefined;
  /** Called with the server before it listens: the place to attach Socket.IO or a WebSocket server. */
  attach?: ((server: Server) => void | Promise<void>) | undefined;
}

const OPTIONS: readonly (keyof ServeOptions)[] = [
  'port',
  'host',
  'socket',
  'socketMode',
  'fd',
  'tls',
  'behindProxy',
  'keepAliveTimeoutMs',
  'headersTimeoutMs',
  'requestTimeoutMs',
  'maxHeaderBytes',
  'maxConnections',
  'fastPrototypes',
  'pretenuring',
  'drain',
  'resources',
  'signals',
  'log',
  'attach',
];

/** Where to listen. */
export type Address =
  | { readonly port: number; readonly host: string }
  | { readonly socket: string; readonly socketMode: number | undefined }
  | { readonly fd: number };

/** {@link ServeOptions} with nothing left open. */
export interface ServeSettings {
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
  readonly keepAliveTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number | undefined;
  readonly fastPrototypes: boolean;
  readonly pretenuring: boolean;
  readonly budgets: DrainBudgets;
  readonly resources: readonly Resource[];
  readonly signals: boolean;
  readonly log: ServerLog;
  readonly attach: ((server: Server) => void | Promise<void>) | undefined;
}

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveServeOptions(app: RequestListener, options: ServeOptions): ServeSettings {
  if (typeof app !== 'function') {
    throw wrongOption('serve', 'app', 'an Express app or a request listener', app);
  }
  requireObject('serve', 'options', options);
  refuseUnknownOptions('serve', options, OPTIONS);
  const { tls, behindProxy = false, maxConnections, signals = true, log = stderrLog, attach } = options;
  const { fastPrototypes = hasPrototypes(app), pretenuring = false, drain = {}, resources = [] } = options;
  const keepAliveTimeoutMs = options.keepAliveTimeoutMs ?? (behindProxy ? 75_000 : 5_000);
  const { headersTimeoutMs = 30_000, requestTimeoutMs = 60_000, maxHeaderBytes = 8_192 } = options;

  requireBoolean('serve', 'behindProxy', behindProxy);
  requireBoolean('serve', 'signals', signals);
  requireBoolean('serve', 'fastPrototypes', fastPrototypes);
  requireBoolean('serve', 'pretenuring', pretenuring);
  if (fastPrototypes && !hasPrototypes(app)) {
    throw new TypeError('serve: "fastPrototypes" needs an Express app, got a plain request listener');
  }
  requireMilliseconds('serve', 'keepAliveTimeoutMs', keepAliveTimeoutMs);
  requireMilliseconds('serve', 'headersTimeoutMs', headersTimeoutMs);
  requireMilliseconds('serve', 'requestTimeoutMs', requestTimeoutMs, 0);
  if (requestTimeoutMs !== 0 && headersTimeoutMs > requestTimeoutMs) {
    const wanted = `at most "requestTimeoutMs" (${requestTimeoutMs})`;
    throw wrongOption('serve', 'headersTimeoutMs', wanted, headersTimeoutMs);
  }
  requireInteger('serve', 'maxHeaderBytes', maxHeaderBytes, 1_024);
  if (maxConnections !== undefined) requireInteger('serve', 'maxConnections', maxConnections, 1);
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) {
    throw wrongSecret('serve', 'tls', 'an object with key and cert', tls);
  }
  if (attach !== undefined) requireFunction('serve', 'attach', attach);
  requireLog('serve', log);
  const budgets = resolveDrainBudgets(drain);
  checkResources(resources, budgets);

  return {
    address: resolveAddress(options),
    tls,
    keepAliveTimeoutMs,
    headersTimeoutMs,
    requestTimeoutMs,
    maxHeaderBytes,
    maxConnections,
    fastPrototypes,
    pretenuring,
    budgets,
    resources: [...resources],
    signals,
    log,
    attach,
  };
}

/** Linux takes 107 bytes of path and a zero byte; older systems cut it off without a word. */
const MAX_SOCKET_PATH_BYTES = 107;

function resolveAddress({ port, host = '127.0.0.1', socket, socketMode, fd }: ServeOptions): Address {
  if (socket === undefined) {
    if (socketMode !== undefined) throw new TypeError('serve: "socketMode" needs "socket"');
    if (fd !== undefined) {
      if (port !== undefined) throw new TypeError('serve: give "port" or "fd", not both');
      requireInteger('serve', 'fd', fd, 0);
      return { fd };
    }
    if (typeof host !== 'string' || host === '') {
      throw wrongOption('serve', 'host', 'an address or a host name', host);
    }
    return { port: resolvePort(port), host };
  }

  if (port !== undefined) throw new TypeError('serve: give "port" or "socket", not both');
  if (fd !== undefined) throw new TypeError('serve: give "socket" or "fd", not both');
  if (typeof socket !== 'string' || socket === '' || Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) {
    throw wrongOption('serve', 'socket', `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`, socket);
  }
  if (socketMode !== undefined) requireInteger('serve', 'socketMode', socketMode, 0, 0o777);
  return { socket, socketMode };
}

function resolvePort(port: unknown = 3000): number {
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port;
  requireInteger('serve', 'port', number, 0, 65_535);
  return number;
}
