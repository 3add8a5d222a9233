import type { Registry } from 'prom-client';
import { takeSnapshot, type MetricSnapshot } from './snapshot.js';

/** All metrics at one moment, and of how much of the app. */
export interface Scrape {
  metrics: MetricSnapshot[];
  /**
   * `process` where there is but one; `cluster` for all workers together; `worker` where a worker of a
   * cluster had to answer for itself alone.
   */
  scope: 'process' | 'cluster' | 'worker';
  /** Workers that are counted. */
  workers: number;
  /** Of these, how many did not answer in time and are counted as they were last known. */
  workersMissing: number;
}

/** Who knows more than the registry itself: the cluster that it is part of. */
export type ScrapeSource = () => Promise<Scrape>;

const sources = new WeakMap<Registry, ScrapeSource>();

/** From now on a scrape of `registry` is made by `source`. */
export function setScrapeSource(registry: Registry, source: ScrapeSource): void {
  sources.set(registry, source);
}

export function clearScrapeSource(registry: Registry): void {
  sources.delete(registry);
}

/** Reads the metrics of the app that `registry` is part of. */
export function scrape(registry: Registry): Promise<Scrape> {
  const source = sources.get(registry);
  return source === undefined ? scrapeProcess(registry) : source();
}

async function scrapeProcess(registry: Registry): Promise<Scrape> {
  const metrics = await takeSnapshot(registry);
  return { metrics: [...metrics, workerCount(1)], scope: 'process', workers: 1, workersMissing: 0 };
}

/** A gauge that is known only once a scrape is over. */
export function gaugeOf(name: string, help: string, value: number): MetricSnapshot {
  return { name, help, type: 'gauge', aggregator: 'first', values: [{ labels: {}, value }] };
}

/** What a limit of one process is multiplied by where the use of all is added up. */
export function workerCount(workers: number): MetricSnapshot {
  return gaugeOf('signalbox_workers', 'Processes that answer requests and are counted.', workers);
}

/** Says in the scrape itself whether it is the whole app. */
export function completeness(complete: boolean): MetricSnapshot {
  return gaugeOf(
    'signalbox_scrape_complete',
    '1 where every process of the app answered this scrape.',
    complete ? 1 : 0,
  );
}
