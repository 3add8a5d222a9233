import { setMaxListeners } from 'node:events';
import { attempt } from './attempt.js';
import { UpstreamResponseError, UpstreamUnavailableError } from './errors.js';
import type { UpstreamSettings } from './options.js';
import type { PreparedRequest } from './request.js';
import type { Server } from './server.js';

/** Options of a health check. */
export interface HealthCheckOptions {
  signal?: AbortSignal | undefined;
  /** For each server, in milliseconds. By default the upstream's `health.timeoutMs`. */
  timeoutMs?: number | undefined;
}

/** What a health check found. */
export interface UpstreamHealth {
  upstream: string;
  servers: { server: string; healthy: boolean; durationMs: number; error: string | undefined }[];
}

/**
 * Finds out whether a server is well, or throws why not.
 *
 * @param get sends a GET and gives the answer's status; 5xx, 408, 429 and no answer are thrown
 */
export type Probe = (get: (path: string) => Promise<number>, server: string) => Promise<void>;

export interface Health {
  check(options?: HealthCheckOptions): Promise<UpstreamHealth>;
  close(): void;
}

/** Asks servers how they are: on demand, and in the background where `everyMs` is set. */
export function healthOf(
  servers: readonly Server[],
  settings: UpstreamSettings,
  probe: Probe = askPaths(settings),
): Health {
  const { everyMs, timeoutMs: defaultTimeoutMs } = settings.health;
  const closing = new AbortController();
  // Every check listens; Node would take the eleventh for a leak.
  setMaxListeners(0, closing.signal);
  const timers = new Set<NodeJS.Timeout>();

  async function checkServer(
    server: Server,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Error | undefined> {
    const endsAt = performance.now() + timeoutMs;
    const get = async (path: string): Promise<number> => {
      const limits = { number: 1, budgetMs: Math.max(1, endsAt - performance.now()) };
      const outcome = await attempt(
        { address: server.address, pool: server.checks },
        healthRequest(settings, path, signal),
        ({ status }) => status,
        settings,
        limits,
      );
      if (outcome.kind === 'answer') return outcome.value;
      throw outcome.kind === 'failure' ? outcome.error : outcome.reason;
    };
    try {
      await probe(get, server.address.origin);
      server.checked(undefined);
      return undefined;
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      // Whoever stopped the check has learned nothing of the server.
      if (!signal.aborted) server.checked(reason);
      return reason;
    }
  }

  function schedule(server: Server, everyMs: number, waitMs: number): void {
    const timer = setTimeout(async () => {
      timers.delete(timer);
      await checkServer(server, defaultTimeoutMs, closing.signal);
      // Spread, so that the checks of many processes do not come in step.
      if (!closing.signal.aborted) schedule(server, everyMs, everyMs * (0.9 + Math.random() / 5));
    }, waitMs);
    timer.unref();
    timers.add(timer);
  }

  if (everyMs !== undefined) {
    for (const server of servers) schedule(server, everyMs, Math.random() * Math.min(everyMs, 1_000));
  }

  return {
    async check({ signal: caller, timeoutMs = defaultTimeoutMs } = {}) {
      caller?.throwIfAborted();
      const signal = caller ?? closing.signal;
      const results = await Promise.all(
        servers.map(async (server) => {
          const startedAt = performance.now();
          const error = await checkServer(server, timeoutMs, signal);
          return { server, error, durationMs: Math.round(performance.now() - startedAt) };
        }),
      );
      const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
      if (errors.length === servers.length) throw nobodyWell(settings.name, errors);
      return {
        upstream: settings.name,
        servers: results.map(({ server, error, durationMs }) => ({
          server: server.address.origin,
          healthy: error === undefined,
          durationMs,
          error: error?.message,
        })),
      };
    },
    close() {
      closing.abort();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Asks the first path that is there. */
function askPaths({ name: upstream, health }: UpstreamSettings): Probe {
  return async (get, server) => {
    let status = 404;
    for (const path of health.paths) {
      status = await get(path);
      if (status !== 404) break;
    }
    if (status >= 200 && status < 400) return;
    throw new UpstreamResponseError(
      status,
      `upstream "${upstream}": ${server} answered ${status} to its health check`,
      {
        upstream,
        server,
      },
    );
  };
}

function healthRequest(settings: UpstreamSettings, path: string, signal: AbortSignal): PreparedRequest {
  return {
    method: 'GET',
    path,
    headers: settings.headers,
    body: undefined,
    signal,
    route: 'health',
    idempotent: true,
    deadlineMs: settings.health.timeoutMs,
  };
}

function nobodyWell(upstream: string, errors: readonly Error[]): UpstreamUnavailableError {
  const [first] = errors;
  const cause = errors.length === 1 ? first : new AggregateError(errors, 'every server failed its check');
  const message = errors.map((error) => error.message).join('; ');
  return new UpstreamUnavailableError('unavailable', message, { upstream, cause });
}
