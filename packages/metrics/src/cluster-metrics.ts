import cluster from 'node:cluster';
import { requireNumber, wrongOption } from '@signalbox/options';
import type { Registry } from 'prom-client';
import { aggregator, type Aggregator } from './cluster-primary.js';
import { installationOf } from './installation.js';
import { resolveOptions, type MetricsOptions } from './options.js';
import { clearScrapeSource, setScrapeSource } from './scrape.js';

/** Options of {@link clusterMetrics}. */
export interface ClusterMetricsOptions extends Omit<MetricsOptions, 'cluster'> {
  /**
   * How long a scrape waits for the workers, in milliseconds, at most 700. Those that take longer are counted as
   * they were last known.
   * @default 400
   */
  timeoutMs?: number | undefined;
}

/** The handle of {@link clusterMetrics}. */
export interface ClusterMetrics {
  /** The primary's own metrics: its process, and what happens to workers. */
  readonly registry: Registry;
  /** Stops answering the workers. Calling it again does nothing. */
  close(): Promise<void>;
}

/** A worker stops waiting after 800 ms. */
const MAX_TIMEOUT_MS = 700;

// There is one set of workers, so there is one who adds up.
let shared: { adding: Aggregator; timeoutMs: number; users: Registry[] } | undefined;

/**
 * Makes one scrape the whole app. Called in the primary of node:cluster; workers that call `metrics()` take
 * part by themselves, and whichever of them is scraped answers for all, as does the primary.
 *
 * Counters and histograms of workers that are gone are kept, so that none falls when a worker is replaced; their
 * gauges go with them. A worker that is stuck is counted as it was last known and shows in
 * `signalbox_workers_missing`.
 *
 * @throws {TypeError} when an option is out of range
 * @throws {Error} in a worker
 *
 * @example
 * if (cluster.isPrimary) {
 *   clusterMetrics();
 *   cluster.fork();
 * }
 */
export function clusterMetrics(options: ClusterMetricsOptions = {}): ClusterMetrics {
  const { timeoutMs = 400, ...rest } = options;
  requireNumber('clusterMetrics', 'timeoutMs', timeoutMs, { above: 0, max: MAX_TIMEOUT_MS });
  const settings = resolveOptions('clusterMetrics', rest);
  if (!cluster.isPrimary)
    throw new Error('clusterMetrics: must be called in the primary; workers call metrics()');

  const { registry } = settings;
  const installation = installationOf('clusterMetrics', settings);
  join(registry, timeoutMs);
  installation.acquire();

  let closed: Promise<void> | undefined;
  async function close(): Promise<void> {
    leave(registry);
    await installation.release();
  }
  return { registry, close: () => (closed ??= close()) };
}

function join(registry: Registry, timeoutMs: number): void {
  shared ??= { adding: aggregator(timeoutMs), timeoutMs, users: [] };
  const { adding, users } = shared;
  if (shared.timeoutMs !== timeoutMs) {
    const wanted = `${shared.timeoutMs}, as in the first call`;
    throw wrongOption('clusterMetrics', 'timeoutMs', wanted, timeoutMs);
  }
  users.push(registry);
  adding.registries.add(registry);
  setScrapeSource(registry, () => adding.scrape());
}

function leave(registry: Registry): void {
  if (shared === undefined) return;
  const { adding, users } = shared;
  users.splice(users.indexOf(registry), 1);
  if (!users.includes(registry)) {
    adding.registries.delete(registry);
    clearScrapeSource(registry);
  }
  if (users.length > 0) return;
  adding.close();
  shared = undefined;
}
