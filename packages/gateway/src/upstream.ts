import { setTimeout as sleep } from 'node:timers/promises';
import { signals } from '@signalbox/signals';
import { attempt, type Failure, type Outcome, type Reader } from './attempt.js';
import {
  UpstreamError,
  UpstreamInvalidResponseError,
  UpstreamTimeoutError,
  UpstreamUnavailableError,
} from './errors.js';
import { healthOf, type HealthCheckOptions, type Probe, type UpstreamHealth } from './health.js';
import type { UpstreamSettings } from './options.js';
import { prepareRequest, type PreparedRequest, type UpstreamRequestOptions } from './request.js';
import { jsonOf, requireSuccess, textOf, type UpstreamResponse } from './response.js';
import { retryBudget } from './retry-budget.js';
import { createServer, type Server, type ServerReport } from './server.js';
import { chooseServer, hasFreshServer, unblockedAt, whyBlocked } from './server-choice.js';

/** A request whose answer is JSON. */
export interface UpstreamJsonOptions<Out> extends UpstreamRequestOptions {
  /** Checks and converts the parsed answer; when it throws, the answer is an invalid one. */
  parse?: ((value: unknown) => Out) | undefined;
}

/** A service behind this one: one server, or several that do the same. */
export interface Upstream {
  /**
   * Sends a request. Resolves with any answer but a 5xx, 408 or 429, which count as failures; redirects
   * are not followed.
   *
   * @throws {UpstreamError} when no server gave an answer in time
   */
  request(request: UpstreamRequestOptions): Promise<UpstreamResponse>;
  /**
   * The answer's body as JSON.
   *
   * @throws {UpstreamError} also when its status is not 2xx, or it is not JSON
   */
  json<Out = unknown>(request: UpstreamJsonOptions<Out>): Promise<Out>;
  /**
   * The answer's body as text.
   *
   * @throws {UpstreamError} also when its status is not 2xx
   */
  text(request: UpstreamRequestOptions): Promise<string>;
  /**
   * Asks every server how it is. Those that are well go back into the rotation.
   *
   * @throws {UpstreamUnavailableError} when none is
   */
  readonly check: (options?: HealthCheckOptions) => Promise<UpstreamHealth>;
  /** What an operator wants to see. */
  readonly state: () => UpstreamReport;
  /** Ends the background checks and, once the requests under way are done, the connections. Can be repeated. */
  readonly close: () => Promise<void>;
}

/** An upstream, as an operator sees it. */
export interface UpstreamReport {
  upstream: string;
  mode: 'preference' | 'balance';
  inFlight: number;
  servers: ServerReport[];
  /** What the window of the retry budget holds. */
  retries: { requests: number; retries: number; allowed: number };
}

/** An upstream, with what other features of this package are built of. */
export interface UpstreamCore extends Upstream {
  /**
   * Sends a request and makes of its answer what `read` makes of it.
   *
   * @param waits whether a server that says when to come back is waited for
   */
  call<Out>(request: UpstreamRequestOptions, read: Reader<Out>, waits?: boolean): Promise<Out>;
}

/** @param probe asks one server how it is, where a plain GET does not tell */
export function createUpstream(settings: UpstreamSettings, probe?: Probe): UpstreamCore {
  const servers: Server[] = settings.addresses.map((address) =>
    createServer(address, settings, () => servers.filter((server) => server.isIn).length <= 1),
  );
  const budget = retryBudget(settings.retryBudget);
  const health = healthOf(servers, settings, probe);
  let closing: Promise<void> | undefined;

  async function call<Out>(options: UpstreamRequestOptions, read: Reader<Out>, waits = true): Promise<Out> {
    const request = prepareRequest(settings, options);
    const candidates = candidatesOf(servers, options.server, settings.name);
    const endsAt = performance.now() + request.deadlineMs;
    const asked = new Set<Server>();
    let lastError: UpstreamError | undefined;
    budget.deposit();

    for (let number = 1; ; number += 1) {
      request.signal?.throwIfAborted();
      if (closing !== undefined) throw lastError ?? closed(settings.name);
      const server = chooseServer(candidates, settings.mode, request.route, asked);
      if (server === undefined) throw lastError ?? nobodyAsked(settings.name, candidates, request.route);
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) throw lastError ?? outOfTime(settings.name, request.deadlineMs);

      asked.add(server);
      const budgetMs = Math.min(settings.timeoutMs, leftMs);
      const outcome = await guarded(server, request.route, () =>
        attempt(server, request, read, settings, { number, budgetMs }),
      );
      if (outcome === undefined) continue;
      if (outcome.kind === 'answer') return outcome.value;
      if (outcome.kind === 'stopped') throw outcome.reason;

      lastError = outcome.error;
      if (outcome.failure.retryAfterMs !== undefined) server.rest(outcome.failure.retryAfterMs);
      if (number > settings.retries || !mayRepeat(request, outcome.failure)) throw lastError;
      if (!waits && outcome.failure.retryAfterMs !== undefined) throw lastError;
      const waitMs = pauseBefore(number, outcome.failure, candidates, request.route, asked);
      if (waitMs === undefined || performance.now() + waitMs >= endsAt) throw lastError;
      if (!budget.withdraw()) throw lastError;
      if (waitMs > 0) await pause(waitMs, request.signal);
    }
  }

  return {
    call,
    request: (request) => call(request, (response) => response),
    json: <Out>({ parse, ...request }: UpstreamJsonOptions<Out>) =>
      call(acceptingJson(request), (response) => {
        requireSuccess(response);
        const value = jsonOf(response);
        return parse === undefined ? (value as Out) : parsed(parse, value, response);
      }),
    text: (request) =>
      call(request, (response) => {
        requireSuccess(response);
        return textOf(response);
      }),
    check: (options) => health.check(options),
    state: () => ({
      upstream: settings.name,
      mode: settings.mode,
      inFlight: servers.reduce((sum, server) => sum + server.inFlight, 0),
      servers: servers.map((server) => server.state()),
      retries: budget.state(),
    }),
    close() {
      closing ??= (async () => {
        health.close();
        await Promise.all(servers.map((server) => server.close()));
      })();
      return closing;
    },
  };
}

/** Runs an attempt under the breaker of its route, and tells the server how it went. */
async function guarded<Out>(
  server: Server,
  route: string,
  run: () => Promise<Outcome<Out>>,
): Promise<Outcome<Out> | undefined> {
  const end = server.begin();
  const breaker = server.breaker(route);
  const outcome = breaker === undefined ? await run() : await breaker.run(run);
  end(outcome?.verdict ?? 'neutral');
  return outcome;
}

function candidatesOf(
  servers: readonly Server[],
  index: number | undefined,
  upstream: string,
): readonly Server[] {
  if (index === undefined) return servers;
  const server = servers[index];
  if (server !== undefined) return [server];
  throw new TypeError(`upstream "${upstream}": "server" must be an index of "urls", got ${String(index)}`);
}

/** A request may be sent again when that does no harm, or when nobody can have seen it (RFC 9110 section 9.2.2). */
function mayRepeat(request: PreparedRequest, { reached }: Failure): boolean {
  return request.idempotent || !reached;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** How long to wait before the next attempt; `undefined` when there is nobody to make it with. */
function pauseBefore(
  number: number,
  { timedOut, retryAfterMs }: Failure,
  candidates: readonly Server[],
  route: string,
  asked: ReadonlySet<Server>,
): number | undefined {
  if (hasFreshServer(candidates, route, asked)) return 0;
  // It had its time. The rest of the deadline is better spent by the caller.
  if (timedOut) return undefined;
  const blockedMs = Math.max(0, unblockedAt(candidates, route) - Date.now());
  // An open breaker is not waited for; a server that said when to come back is.
  if (blockedMs > 0 && retryAfterMs === undefined) return undefined;
  const spreadMs = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (number - 1));
  return blockedMs + spreadMs;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal?.throwIfAborted();
  }
}

function acceptingJson(request: UpstreamRequestOptions): UpstreamRequestOptions {
  return { ...request, headers: { accept: 'application/json', ...request.headers } };
}

function parsed<Out>(parse: (value: unknown) => Out, value: unknown, response: UpstreamResponse): Out {
  try {
    return parse(value);
  } catch (cause) {
    if (cause instanceof UpstreamError) throw cause;
    const { upstream, server } = response;
    const message = `upstream "${upstream}": ${server} answered JSON of another shape than expected`;
    throw new UpstreamInvalidResponseError(message, { upstream, server, cause });
  }
}

/** Says so in a signal, too. */
export function nobodyAsked(
  upstream: string,
  candidates: readonly Server[],
  route: string,
): UpstreamUnavailableError {
  if (signals.upstreamRequest.hasSubscribers) {
    const server = candidates[0]?.address.origin ?? '';
    const rejected = { outcome: 'rejected', status: undefined, durationMs: 0 } as const;
    signals.upstreamRequest.publish({ upstream, server, route, attempt: 1, ...rejected });
  }
  const waitMs = Math.max(0, unblockedAt(candidates, route) - Date.now());
  const message = `upstream "${upstream}": no server to ask, ${whyBlocked(candidates, route)}`;
  return new UpstreamUnavailableError('unavailable', message, {
    upstream,
    retryAfterSeconds: waitMs / 1_000,
  });
}

function outOfTime(upstream: string, deadlineMs: number): UpstreamTimeoutError {
  const message = `upstream "${upstream}": no time left to ask (${Math.max(0, Math.round(deadlineMs))} ms)`;
  return new UpstreamTimeoutError(message, { upstream });
}

function closed(upstream: string): UpstreamUnavailableError {
  return new UpstreamUnavailableError('unavailable', `upstream "${upstream}" is closed`, { upstream });
}
