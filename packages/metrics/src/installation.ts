import cluster from 'node:cluster';
import type { Registry } from 'prom-client';
import { workerLink } from './cluster-worker.js';
import { featureMetrics } from './feature-metrics.js';
import { httpMetrics, type HttpMetrics } from './http-metrics.js';
import type { MetricsSettings } from './options.js';
import { processMetrics } from './process-metrics.js';
import { clearScrapeSource, setScrapeSource } from './scrape.js';

/** The metrics of one registry, shared by all who asked for them. */
export interface Installation {
  readonly http: HttpMetrics;
  /** Begins to listen for the first user. */
  acquire(): void;
  /** Stops after the last one. What was counted stays in the registry. */
  release(): Promise<void>;
}

interface Installed {
  readonly installation: Installation;
  readonly fingerprint: string;
}

const installed = new WeakMap<Registry, Installed>();

/** A metric that every installation has. */
const REQUESTS = 'http_requests_total';

/**
 * Registers our metrics in the registry, once.
 *
 * @throws {TypeError} when they are there already with other settings, or another has taken their names
 */
export function installationOf(caller: string, { registry, ...settings }: MetricsSettings): Installation {
  const fingerprint = JSON.stringify(settings);
  const present = installed.get(registry);
  // `registry.clear()`, as between the tests of an app, takes the metrics away.
  if (present === undefined || registry.getSingleMetric(REQUESTS) === undefined) {
    requireFree(caller, registry);
    const installation = install({ registry, ...settings });
    installed.set(registry, { installation, fingerprint });
    return installation;
  }
  if (present.fingerprint === fingerprint) return present.installation;
  throw new TypeError(
    `${caller}: "registry" is in use with other options: ${present.fingerprint}, got ${fingerprint}`,
  );
}

function requireFree(caller: string, registry: Registry): void {
  if (registry.getSingleMetric(REQUESTS) === undefined) return;
  throw new TypeError(
    `${caller}: "registry" must not have a metric "${REQUESTS}" already; hand in one of its own`,
  );
}

function install(settings: MetricsSettings): Installation {
  const { registry, maxSeries } = settings;
  const http = httpMetrics(settings);
  const parts = [
    ...(settings.process ? [processMetrics(settings)] : []),
    ...(settings.features ? [featureMetrics(registry, maxSeries)] : []),
  ];
  const link = settings.cluster && cluster.isWorker ? workerLink() : undefined;
  let users = 0;

  return {
    http,
    acquire() {
      users += 1;
      if (users > 1) return;
      for (const part of parts) part.start();
      if (link === undefined) return;
      link.add(registry);
      setScrapeSource(registry, () => link.scrape(registry));
    },
    async release() {
      users -= 1;
      if (users > 0) return;
      for (const part of parts) part.stop();
      if (link === undefined) return;
      clearScrapeSource(registry);
      await link.remove(registry);
    },
  };
}
