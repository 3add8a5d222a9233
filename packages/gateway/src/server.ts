import type { LookupFunction } from 'node:net';
import { signals } from '@signalbox/signals';
import { Pool } from 'undici';
import { createBreaker, type Breaker, type BreakerStateName, type Verdict } from './breaker.js';
import type { UpstreamSettings } from './options.js';
import { createRotation, type RotationReport } from './rotation.js';
import { Connection } from './connection.js';
import type { ServerAddress } from './server-address.js';
import { Silence } from './silence.js';

/** One server of an upstream: its connections, and what is known of its health. */
export interface Server {
  readonly address: ServerAddress;
  readonly pool: Pool;
  /** Connections for health checks alone: where all others are busy for long, the server may be well. */
  readonly checks: Pool;
  /** Whom its certificate has to name: a host, or an address. */
  readonly serverName: string;
  readonly inFlight: number;
  readonly isIn: boolean;
  breaker(route: string): Breaker | undefined;
  silence(route: string): Silence;
  /** Until when no call of `route` should be made, in epoch milliseconds; 0 when one may. */
  blockedUntil(route: string): number;
  /** Whether nothing but its ejection keeps a call of `route` from it: where nobody else may be asked, one may try it. */
  isLastResort(route: string): boolean;
  /**
   * A call begins; the returned function ends it with what it showed. One whose answer has only begun, and may
   * last, tells so before: `isOver` is `false` then.
   */
  begin(): (verdict: Verdict, isOver?: boolean) => void;
  /** The server asked to be left alone for a time. */
  rest(ms: number): void;
  /** A health check passed, or did not. */
  checked(error: Error | undefined): void;
  state(): ServerReport;
  /** Once the requests under way are done. */
  close(): Promise<void>;
}

/** A server, as an operator sees it. */
export interface ServerReport extends RotationReport {
  server: string;
  inFlight: number;
  /** Open connections. */
  connections: number;
  breakers: { route: string; state: BreakerStateName; until: number | undefined }[];
}

/** Routes are named by the program, so there are few; were one made of user input, memory stays bounded. */
const MAX_ROUTES = 100;
const OTHER_ROUTES = '*';

/** How connections are made, where that is not as for every upstream. */
export interface ConnectionSettings {
  lookup: LookupFunction | undefined;
  maxHeaderBytes: number;
}

/** @param isLast whether this server is the only one that is in: it then stays, whatever it does */
export function createServer(
  address: ServerAddress,
  settings: UpstreamSettings,
  isLast: () => boolean,
  connections?: ConnectionSettings,
): Server {
  const { name: upstream, breaker: breakerSettings } = settings;
  const server = address.origin;
  const poolOptions: Pool.Options = {
    connect: {
      ...settings.tls,
      timeout: settings.connectTimeoutMs,
      ...(connections?.lookup === undefined ? undefined : { lookup: connections.lookup }),
    },
    ...(connections === undefined ? undefined : { maxHeaderSize: connections.maxHeaderBytes }),
    factory: (origin, options) => new Connection(origin, options, settings.tls?.servername),
    // The attempt's own timer bounds headers and body together.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const pool = new Pool(server, { ...poolOptions, connections: settings.maxConnections });
  // As many, since a check that waited for another one would take that for the server's silence.
  const checks = new Pool(server, { ...poolOptions, connections: settings.maxConnections });
  const rotation = createRotation(settings, isLast, (state) => {
    signals.upstreamServerState.publish({ upstream, server, state });
  });
  const breakers = new Map<string, Breaker>();
  const silences = new Map<string, Silence>();
  let inFlight = 0;

  function breaker(route: string): Breaker | undefined {
    if (breakerSettings === undefined) return undefined;
    const known = breakers.get(route);
    if (known !== undefined) return known;
    if (breakers.size >= MAX_ROUTES && route !== OTHER_ROUTES) return breaker(OTHER_ROUTES);
    const made = createBreaker(breakerSettings, (state, previous) => {
      // One that was forgotten may still have a probe under way.
      if (breakers.get(route) !== made) return;
      signals.breakerState.publish({ upstream, server, route, state, previous });
    });
    breakers.set(route, made);
    return made;
  }

  /** What they have counted says nothing of a server that was away and has come back. */
  function forgetBreakers(): void {
    const forgotten = [...breakers];
    breakers.clear();
    for (const [route, each] of forgotten) {
      const previous = each.state();
      if (previous === 'closed') continue;
      signals.breakerState.publish({ upstream, server, route, state: 'closed', previous });
    }
  }

  function silence(route: string): Silence {
    const known = silences.get(route);
    if (known !== undefined) return known;
    if (silences.size >= MAX_ROUTES && route !== OTHER_ROUTES) return silence(OTHER_ROUTES);
    const made = new Silence();
    silences.set(route, made);
    return made;
  }

  return {
    address,
    pool,
    checks,
    serverName: settings.tls?.servername ?? hostOf(server),
    breaker,
    silence,
    get inFlight() {
      return inFlight;
    },
    get isIn() {
      return rotation.isIn;
    },
    blockedUntil: (route) => Math.max(rotation.blockedUntil(), breaker(route)?.blockedUntil() ?? 0),
    isLastResort: (route) => rotation.isPaused && (breaker(route)?.blockedUntil() ?? 0) === 0,
    begin() {
      const end = rotation.begin();
      inFlight += 1;
      return (verdict, isOver = true) => {
        if (isOver) inFlight -= 1;
        end(verdict, isOver);
      };
    },
    rest: (ms) => rotation.rest(ms),
    checked(error) {
      const hasComeBack = error === undefined && rotation.state().healthy === false;
      rotation.checked(error);
      if (hasComeBack) forgetBreakers();
    },
    state: () => ({
      server,
      ...rotation.state(),
      inFlight,
      connections: pool.stats.connected,
      breakers: [...breakers].map(([route, each]) => ({
        route,
        state: each.state(),
        until: each.state() === 'open' ? Math.round(each.blockedUntil()) || undefined : undefined,
      })),
    }),
    async close() {
      await Promise.all([pool.close(), checks.close()]);
    },
  };
}

function hostOf(origin: string): string {
  return new URL(origin).hostname.replace(/^\[|\]$/g, '');
}
