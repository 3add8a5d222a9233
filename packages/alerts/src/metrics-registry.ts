/** A figure of a metric, as prom-client gives it. */
export interface MetricSample {
  readonly value: number;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  /** Of histograms: `…_bucket`, `…_sum` or `…_count`. */
  readonly metricName?: string | undefined;
}

/** As much of prom-client's `Registry` as rules read. */
export interface MetricsRegistry {
  getSingleMetric(name: string): { get(): Promise<{ readonly values: readonly MetricSample[] }> } | undefined;
}

/** How many requests there were, and how many of them failed. */
export interface RequestCounts {
  readonly all: number;
  readonly failed: number;
}

/** Sums of `http_requests_total` of `@signalbox/metrics`, but for some routes. */
export async function readRequests(
  registry: MetricsRegistry,
  exceptRoutes: ReadonlySet<unknown>,
): Promise<RequestCounts | undefined> {
  const metric = await registry.getSingleMetric('http_requests_total')?.get();
  if (metric === undefined) return undefined;
  let all = 0;
  let failed = 0;
  for (const { labels, value } of metric.values) {
    if (exceptRoutes.has(labels['route'])) continue;
    all += value;
    if (Number(labels['status']) >= 500) failed += value;
  }
  return { all, failed };
}

/** Cumulative counts of `http_request_duration_seconds` by upper bound in seconds, but for some routes. */
export async function readDurations(
  registry: MetricsRegistry,
  exceptRoutes: ReadonlySet<unknown>,
): Promise<Map<number, number> | undefined> {
  const metric = await registry.getSingleMetric('http_request_duration_seconds')?.get();
  if (metric === undefined) return undefined;
  const buckets = new Map<number, number>();
  for (const { labels, value, metricName } of metric.values) {
    if (metricName?.endsWith('_bucket') !== true || exceptRoutes.has(labels['route'])) continue;
    const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return buckets;
}
