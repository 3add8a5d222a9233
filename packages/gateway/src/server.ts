import { signals } from '@signalbox/signals';
import { Pool } from 'undici';
import { createBreaker, type Breaker, type BreakerStateName, type Verdict } from './breaker.js';
import type { UpstreamSettings } from './options.js';
import type { ServerAddress } from './server-address.js';

/** One server of an upstream: its connections, and what is known of its health. */
export interface Server {
  readonly address: ServerAddress;
  readonly pool: Pool;
  readonly inFlight: number;
  readonly isIn: boolean;
  breaker(route: string): Breaker | undefined;
  /** Until when no call of `route` should be made, in epoch milliseconds; 0 when one may. */
  blockedUntil(route: string): number;
  /** A call begins; the returned function ends it with what it showed. */
  begin(): (verdict: Verdict) => void;
  /** The server asked to be left alone for a time. */
  rest(ms: number): void;
  /** A health check passed, or did not. */
  checked(error: Error | undefined): void;
  state(): ServerReport;
}

/** A server, as an operator sees it. */
export interface ServerReport {
  server: string;
  /** `resting`: it said `Retry-After`. */
  state: 'in' | 'ejected' | 'resting';
  /** When it may be tried again, in epoch milliseconds; `undefined` when it may be now. */
  until: number | undefined;
  inFlight: number;
  /** Open connections. */
  connections: number;
  consecutiveFailures: number;
  /** Outcome of the last health check, `undefined` before the first. */
  healthy: boolean | undefined;
  lastHealthError: string | undefined;
  breakers: { route: string; state: BreakerStateName; until: number | undefined }[];
}

/** Routes are named by the program, so there are few; were one made of user input, memory stays bounded. */
const MAX_ROUTES = 100;
const OTHER_ROUTES = '*';

/** Tells how long to wait for a trial that another request has begun. */
const TRIAL_MS = 1_000;

/** @param isLast whether this server is the only one that is in: it then stays, whatever it does */
export function createServer(
  address: ServerAddress,
  settings: UpstreamSettings,
  isLast: () => boolean,
): Server {
  const { name: upstream, ejection, breaker: breakerSettings } = settings;
  const server = address.origin;
  const pool = new Pool(server, {
    connections: settings.maxConnections,
    connect: { ...settings.tls, timeout: settings.connectTimeoutMs },
    // The attempt's own timer bounds headers and body together.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const breakers = new Map<string, Breaker>();
  const outAfterChecksMs = Math.max(ejection?.pauseMs ?? 0, 2 * (settings.health.everyMs ?? 5_000));

  let inFlight = 0;
  let failures = 0;
  let failedChecks = 0;
  let lastCheck: { error: Error | undefined } | undefined;
  let restUntil = 0;
  /** 0: it is in. In the past: it is out, and may be tried. */
  let outUntil = 0;
  let ejections = 0;
  /** Counts ejections and returns, so that calls that began before one say nothing after it. */
  let era = 0;

  function takeOut(pauseMs: number): void {
    const wasIn = outUntil === 0;
    outUntil = Math.max(outUntil, Date.now() + pauseMs);
    era += 1;
    if (wasIn) signals.upstreamServerState.publish({ upstream, server, state: 'ejected' });
  }

  function putBack(): void {
    outUntil = 0;
    ejections = 0;
    failures = 0;
    era += 1;
    signals.upstreamServerState.publish({ upstream, server, state: 'in' });
  }

  function failed(): void {
    failures += 1;
    if (ejection === undefined) return;
    const isTrial = outUntil > 0;
    if (!isTrial && (failures < ejection.failures || isLast())) return;
    takeOut(Math.min(ejection.maxPauseMs, ejection.pauseMs * 2 ** ejections));
    ejections += 1;
  }

  function breaker(route: string): Breaker | undefined {
    if (breakerSettings === undefined) return undefined;
    const known = breakers.get(route);
    if (known !== undefined) return known;
    if (breakers.size >= MAX_ROUTES && route !== OTHER_ROUTES) return breaker(OTHER_ROUTES);
    const made = createBreaker(breakerSettings, (state, previous) => {
      signals.breakerState.publish({ upstream, server, route, state, previous });
    });
    breakers.set(route, made);
    return made;
  }

  function outOrRestingUntil(): number {
    const now = Date.now();
    if (outUntil > now) return outUntil;
    // The pause is over: one request at a time, until one went well.
    if (outUntil > 0 && inFlight > 0) return now + TRIAL_MS;
    return restUntil > now ? restUntil : 0;
  }

  return {
    address,
    pool,
    breaker,
    get inFlight() {
      return inFlight;
    },
    get isIn() {
      return outUntil === 0;
    },
    blockedUntil(route) {
      return Math.max(outOrRestingUntil(), breaker(route)?.blockedUntil() ?? 0);
    },
    begin() {
      const begunIn = era;
      inFlight += 1;
      return (verdict) => {
        inFlight -= 1;
        if (begunIn !== era) return;
        if (verdict === 'failed') failed();
        else if (verdict === 'ok' && outUntil > 0) putBack();
        else if (verdict === 'ok') failures = 0;
      };
    },
    rest(ms) {
      restUntil = Math.max(restUntil, Date.now() + ms);
    },
    checked(error) {
      lastCheck = { error };
      if (error === undefined) {
        failedChecks = 0;
        if (outUntil > 0) putBack();
        return;
      }
      failedChecks += 1;
      const isTolerated = failedChecks < settings.health.failures || (outUntil === 0 && isLast());
      // Further checks that fail prolong it; should nobody check any more, a request tries the server.
      if (!isTolerated) takeOut(outAfterChecksMs);
    },
    state() {
      const until = outOrRestingUntil();
      return {
        server,
        state: outUntil > 0 ? 'ejected' : until > 0 ? 'resting' : 'in',
        until: until > 0 ? Math.round(until) : undefined,
        inFlight,
        connections: pool.stats.connected,
        consecutiveFailures: failures,
        healthy: lastCheck === undefined ? undefined : lastCheck.error === undefined,
        lastHealthError: lastCheck?.error?.message,
        breakers: [...breakers].map(([route, each]) => ({
          route,
          state: each.state(),
          until: each.state() === 'open' ? Math.round(each.blockedUntil()) || undefined : undefined,
        })),
      };
    },
  };
}
