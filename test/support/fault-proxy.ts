import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { openLane, type Traffic } from './fault-proxy-lane.js';

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
  /**
   * How often somebody waited for the server: answers that came after something had been asked on the same
   * connection. Questions sent together and answered together are one.
   */
  roundTrips: number;
}

/** A TCP proxy whose behaviour is changed while connections run through it. */
export interface FaultProxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** `127.0.0.1:PORT`, to be put into a URL. */
  readonly address: string;
  readonly counts: Readonly<ProxyCounts>;
  resetCounts(): void;
  /** Everything works; what was held back is delivered. */
  pass(): Promise<void>;
  /** Every answer comes `ms` later: the server is that far away, there and back. */
  delay(ms: number): Promise<void>;
  /** Each connection carries at most so many bytes a second in each direction. */
  throttle(bytesPerSecond: number): Promise<void>;
  /**
   * Nothing arrives, in either direction, until `pass()` delivers it: a network cut off, as TCP lives through it.
   * New connections are accepted, since a connection that is not cannot be told from a refused one here.
   */
  partition(): Promise<void>;
  /** Whatever is sent is lost for good, also after `pass()`. New connections are accepted and never answered. */
  blackhole(): Promise<void>;
  /** As if nobody listened: open connections are reset, new ones are refused. */
  refuse(): Promise<void>;
  /** Open connections are reset, and new ones as soon as they are made. */
  reset(): Promise<void>;
  /** Ends everything; doing so again does nothing. */
  stop(): Promise<void>;
}

/**
 * Starts a proxy on a free port of loopback. It passes everything on, to begin with.
 *
 * @example
 * const redis = await startRedis();
 * const proxy = await startFaultProxy({ to: redis.port });
 * await proxy.delay(1);
 */
export async function startFaultProxy({ to }: FaultProxyOptions): Promise<FaultProxy> {
  const target = addressOf(to);
  const traffic: Traffic = { state: 'flowing', delayMs: 0, bytesPerSecond: Infinity };
  const counts: ProxyCounts = { connections: 0, open: 0, bytesUp: 0, bytesDown: 0, roundTrips: 0 };
  const links = new Set<Link>();
  let resetsAll = false;

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
  let server: Server | undefined = await listenOn(0, accept);
  const { port } = server.address() as AddressInfo;

  const change = async (next: Partial<Traffic>, resets = false): Promise<void> => {
    Object.assign(traffic, { state: 'flowing', delayMs: 0, bytesPerSecond: Infinity }, next);
    resetsAll = resets;
    for (const link of links) {
      if (resets) link.reset();
      else link.update();
    }
    server ??= await listenOn(port, accept);
  };
  const refuse = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    const closed = new Promise<void>((resolve) => (closing ? closing.close(() => resolve()) : resolve()));
    for (const link of links) link.reset();
    await closed;
  };

  return {
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    counts,
    resetCounts: () =>
      void Object.assign(counts, { connections: 0, bytesUp: 0, bytesDown: 0, roundTrips: 0 }),
    pass: () => change({}),
    delay: (ms) => change({ delayMs: ms }),
    throttle: (bytesPerSecond) => change({ bytesPerSecond }),
    partition: () => change({ state: 'held' }),
    blackhole: () => change({ state: 'lost' }),
    reset: () => change({}, true),
    refuse,
    stop: refuse,
  };
}

interface Link {
  /** Looks at the traffic's rules again after they changed. */
  update(): void;
  reset(): void;
}

/** Connects a client to the server. What becomes of one side becomes of the other. */
function openLink(
  client: Socket,
  target: { host: string; port: number },
  traffic: Readonly<Traffic>,
  counts: ProxyCounts,
  ended: () => void,
): Link {
  // allowHalfOpen: a client that has said all it wanted still gets its answer.
  const upstream = connect({ ...target, noDelay: true, allowHalfOpen: true });
  client.setNoDelay(true);

  let asked = false;
  const up = openLane(client, upstream, traffic, false, (chunk) => {
    counts.bytesUp += chunk.length;
    asked = true;
  });
  const down = openLane(upstream, client, traffic, true, (chunk) => {
    counts.bytesDown += chunk.length;
    if (asked) counts.roundTrips += 1;
    asked = false;
  });

  const reset = (): void => {
    if (!client.destroyed) client.resetAndDestroy();
    // Not yet connected, there is nothing to reset.
    if (upstream.connecting) upstream.destroy();
    else if (!upstream.destroyed) upstream.resetAndDestroy();
  };
  // A server that refuses is a reset for the client: it has its connection already.
  client.on('error', reset);
  upstream.on('error', reset);
  client.once('close', () => {
    ended();
    if (traffic.state === 'flowing') upstream.destroy();
    else reset();
  });

  return {
    update() {
      up.update();
      down.update();
    },
    reset,
  };
}

function listenOn(port: number, accept: (client: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, accept);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function addressOf(to: FaultProxyOptions['to']): { host: string; port: number } {
  if (typeof to === 'number') return { host: '127.0.0.1', port: to };
  if (typeof to === 'object') return to;
  const { hostname, port, protocol } = new URL(to);
  if (port !== '') return { host: hostname, port: Number(port) };
  return { host: hostname, port: protocol === 'https:' ? 443 : 80 };
}
