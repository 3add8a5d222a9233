import { createServer, type Server, type Socket } from 'node:net';
import type { Traffic } from './fault-proxy-lane.js';
import { openLink, type Link } from './fault-proxy-link.js';
import { requireKnownOptions } from './known-options.js';
import { parsedUrl } from './parsed-url.js';
import { onFreePort } from './ports.js';
import { whenTestEnds, type TestContext } from './test-end.js';
import { takeTurns } from './turns.js';

/** Options of {@link faultProxy}. */
export interface FaultProxyOptions {
  /** Where the connections go: a port on loopback, a host and a port, or a URL with both. */
  to: number | string | { host: string; port: number };
}

/** What went through since the start, or since `resetCounts()`. */
export interface ProxyCounts {
  /** Connections accepted. */
  connections: number;
  /** Connections that are open now. */
  open: number;
  /** Bytes from clients towards the server. */
  bytesUp: number;
  /** Bytes from the server towards clients. */
  bytesDown: number;
  /** Bytes that a black hole has swallowed, in either direction. */
  bytesLost: number;
  /**
   * How often somebody waited for the server: answers that came after something had been asked on the same
   * connection. Questions sent together and answered together are one.
   */
  roundTrips: number;
}

/** A TCP proxy whose behaviour is changed while connections run through it. Each fault takes the place of the last. */
export interface FaultProxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** `127.0.0.1:PORT`, to be put into a URL. */
  readonly address: string;
  readonly counts: Readonly<ProxyCounts>;
  readonly resetCounts: () => void;
  /** Everything works; what was held back is delivered. */
  readonly pass: () => Promise<void>;
  /** Every answer comes `ms` later: the server is that far away, there and back. */
  readonly delay: (ms: number) => Promise<void>;
  /** Each connection carries at most so many bytes a second in each direction. */
  readonly throttle: (bytesPerSecond: number) => Promise<void>;
  /**
   * Nothing arrives, in either direction, until `pass()` delivers it: a network cut off, as TCP lives through it.
   * New connections are accepted, since a connection that is not cannot be told from a refused one here.
   */
  readonly partition: () => Promise<void>;
  /**
   * Whatever is sent is lost for good, and a connection that lost something stays silent also after `pass()`, as
   * when a firewall has forgotten it. New connections are accepted and never answered.
   */
  readonly blackhole: () => Promise<void>;
  /** As if nobody listened: open connections are reset, new ones are refused. */
  readonly refuse: () => Promise<void>;
  /** Open connections are reset, and new ones as soon as they are made. */
  readonly reset: () => Promise<void>;
  /** Ends everything; doing so again does nothing. */
  readonly close: () => Promise<void>;
}

const FLOWING: Traffic = { state: 'flowing', delayMs: 0, bytesPerSecond: Infinity };

/**
 * Starts a TCP proxy on a free port of loopback, which passes everything on until it is told otherwise. It is closed
 * when the running test ends, as `listen` does it; outside a test it stays open and keeps no process alive.
 *
 * @param test the test's own context, needed only where tests of one file run concurrently
 * @throws {TypeError} when `to` is not an address
 *
 * @example
 * const proxy = await faultProxy({ to: 5432 });
 * const pool = new Pool({ connectionString: `postgres://app@${proxy.address}/app` });
 * await proxy.partition();
 */
export async function faultProxy(options: FaultProxyOptions, test?: TestContext): Promise<FaultProxy> {
  const proxy = await openFaultProxy(options);
  await whenTestEnds(proxy.close, test);
  return proxy;
}

/** The proxy by itself, for a caller that closes it. */
export async function openFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  requireKnownOptions('faultProxy', options, ['to']);
  const target = addressOf(options.to);
  const traffic = { ...FLOWING };
  const counts: ProxyCounts = {
    connections: 0,
    open: 0,
    bytesUp: 0,
    bytesDown: 0,
    bytesLost: 0,
    roundTrips: 0,
  };
  const links = new Set<Link>();
  const inTurn = takeTurns();
  let resetsAll = false;
  let closed = false;

  const accept = (client: Socket): void => {
    counts.connections += 1;
    counts.open += 1;
    const link = openLink(client, target, traffic, counts, () => {
      counts.open -= 1;
      links.delete(link);
    });
    links.add(link);
    if (resetsAll) link.reset();
  };
  const listenOn = (port: number): Promise<Server> => listening(port, accept);
  const first = await onFreePort(async (port) => ({ port, server: await listenOn(port) }));
  const { port } = first;
  let server: Server | undefined = first.server;

  const change = (next: Partial<Traffic>, resets = false): Promise<void> =>
    inTurn(async () => {
      if (closed) throw new Error('faultProxy: it is closed');
      Object.assign(traffic, FLOWING, next);
      resetsAll = resets;
      for (const link of links) {
        if (resets) link.reset();
        else link.update();
      }
      server ??= await listenOn(port);
    });
  const refuse = (): Promise<void> =>
    inTurn(async () => {
      const closing = server;
      server = undefined;
      const isClosed = new Promise<void>((resolve) => (closing ? closing.close(() => resolve()) : resolve()));
      for (const link of links) link.reset();
      await isClosed;
    });

  return {
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    counts,
    resetCounts: () =>
      void Object.assign(counts, { connections: 0, bytesUp: 0, bytesDown: 0, bytesLost: 0, roundTrips: 0 }),
    pass: () => change({}),
    delay: async (ms) => change({ delayMs: requireNumber('delay', 'ms', ms, 0) }),
    throttle: async (bytesPerSecond) =>
      change({ bytesPerSecond: requireNumber('throttle', 'bytesPerSecond', bytesPerSecond, 1) }),
    partition: () => change({ state: 'held' }),
    blackhole: () => change({ state: 'lost' }),
    reset: () => change({}, true),
    refuse,
    close() {
      closed = true;
      return refuse();
    },
  };
}

function listening(port: number, accept: (client: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, accept);
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server.unref()));
  });
}

/** For URLs without a port. */
const PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'redis:': 6379,
  'rediss:': 6379,
  'postgres:': 5432,
  'postgresql:': 5432,
};

function addressOf(to: FaultProxyOptions['to']): { host: string; port: number } {
  if (typeof to === 'number' && isPort(to)) return { host: '127.0.0.1', port: to };
  if (typeof to === 'object' && typeof to?.host === 'string' && isPort(to.port)) return to;
  const url = typeof to === 'string' ? parsedUrl(to) : undefined;
  if (url !== undefined) {
    const { hostname, port, protocol } = url;
    // [::1] in a URL is ::1 for a socket.
    const host = hostname.replace(/^\[|\]$/g, '');
    const number = port === '' ? (PORTS[protocol] ?? 0) : Number(port);
    if (host !== '' && isPort(number)) return { host, port: number };
  }
  throw new TypeError(
    `faultProxy: "to" must be a port, a host and a port, or a URL with both, got ${JSON.stringify(to)}`,
  );
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}

function requireNumber(method: string, name: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw new TypeError(`faultProxy: ${method}() needs "${name}" of at least ${least}, got ${String(value)}`);
}
