import {
  AggregatorRegistry,
  Registry,
  type OpenMetricsContentType,
  type PrometheusContentType,
} from 'prom-client';
import type { MetricSnapshot } from './snapshot.js';

/** Metrics as text, with the `Content-Type` that belongs to it. */
export interface Exposition {
  contentType: PrometheusContentType | OpenMetricsContentType;
  text: string;
}

/** Writes metrics in the text format of Prometheus, version 0.0.4. */
export async function prometheusText(snapshot: readonly MetricSnapshot[]): Promise<Exposition> {
  const registry = AggregatorRegistry.aggregate<PrometheusContentType>([asTheyAre(snapshot)]);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** Writes metrics in the format of OpenMetrics, version 1.0.0. */
export async function openMetricsText(snapshot: readonly MetricSnapshot[]): Promise<Exposition> {
  // prom-client adds `_total` to counters here, and forgets to take it off those that have it.
  const families = asTheyAre(snapshot).map((metric) =>
    metric.type === 'counter' ? { ...metric, name: metric.name.replace(/_total$/, '') } : metric,
  );
  const registry = AggregatorRegistry.aggregate<OpenMetricsContentType>([families]);
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/**
 * The snapshot is merged already; its aggregators have done their work. Not the registry itself is asked for
 * text, since prom-client renames the counters of one that it has written as OpenMetrics.
 */
function asTheyAre(snapshot: readonly MetricSnapshot[]): MetricSnapshot[] {
  return snapshot.map((metric) => ({ ...metric, aggregator: 'first' }));
}
