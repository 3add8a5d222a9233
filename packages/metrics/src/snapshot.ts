import { AggregatorRegistry, type Aggregator, type MetricValueWithName, type Registry } from 'prom-client';

/** One number of a metric, as `registry.getMetricsAsJSON()` has it. */
export type Sample = MetricValueWithName<string>;

/** A metric with all its numbers at one moment. */
export interface MetricSnapshot {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary';
  aggregator: Aggregator;
  values: Sample[];
}

/** Reads all metrics of a registry. */
export async function takeSnapshot(registry: Registry): Promise<MetricSnapshot[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type, aggregator, values }) => ({
    name,
    help,
    // prom-client declares an enum of numbers; what it has are these words.
    type: String(type) as MetricSnapshot['type'],
    aggregator,
    values,
  }));
}

/** Joins the metrics of several processes, each metric by its own aggregator. */
export async function mergeSnapshots(
  snapshots: readonly (readonly MetricSnapshot[])[],
): Promise<MetricSnapshot[]> {
  return takeSnapshot(AggregatorRegistry.aggregate([...snapshots]));
}

/**
 * What must outlive the process that counted it: counters and histograms, and of summaries what is not a
 * quantile.
 */
export function lasting(snapshot: readonly MetricSnapshot[]): MetricSnapshot[] {
  return snapshot.flatMap((metric) => {
    if (metric.type === 'gauge') return [];
    if (metric.type !== 'summary') return [metric];
    return [{ ...metric, values: metric.values.filter(({ labels }) => labels['quantile'] === undefined) }];
  });
}
