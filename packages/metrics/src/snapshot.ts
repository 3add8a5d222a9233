import type { Aggregator, MetricValueWithName, Registry } from 'prom-client';

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
