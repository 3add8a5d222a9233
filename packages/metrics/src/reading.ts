import type { MetricSnapshot, Sample } from './snapshot.js';

/** Looks numbers up in a scrape. */
export interface Reader {
  /** Sum over all label sets that fit; `null` when there is none. */
  sum(metric: string, fits?: (labels: Sample['labels']) => boolean): number | null;
  /** The distribution over all label sets of a histogram; `null` when nothing was counted. */
  distribution(histogram: string): Distribution | null;
}

export interface Distribution {
  count: number;
  sum: number;
  /** The value below which the share `q` of all lies, interpolated within its bucket. */
  quantile(q: number): number;
}

export function readerOf(metrics: readonly MetricSnapshot[]): Reader {
  const byName = new Map(metrics.map((metric) => [metric.name, metric.values]));

  return {
    sum(metric, fits = () => true) {
      const values = (byName.get(metric) ?? []).filter(({ labels }) => fits(labels));
      return values.length === 0 ? null : values.reduce((sum, { value }) => sum + value, 0);
    },
    distribution(histogram) {
      const samples = byName.get(histogram) ?? [];
      const total = (metricName: string) =>
        samples.reduce((sum, each) => (each.metricName === metricName ? sum + each.value : sum), 0);
      const count = total(`${histogram}_count`);
      if (count === 0) return null;
      const buckets = cumulativeBuckets(samples);
      return { count, sum: total(`${histogram}_sum`), quantile: (q) => quantileOf(buckets, q * count) };
    },
  };
}

type Bucket = readonly [bound: number, countUpTo: number];

function cumulativeBuckets(samples: readonly Sample[]): Bucket[] {
  const counts = new Map<number, number>();
  for (const { labels, value } of samples) {
    const { le } = labels;
    if (le === undefined) continue;
    const bound = le === '+Inf' ? Infinity : Number(le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return [...counts].toSorted(([a], [b]) => a - b);
}

/** As Prometheus' `histogram_quantile`: linear within a bucket, and never above the last bound. */
function quantileOf(buckets: readonly Bucket[], rank: number): number {
  let lower: Bucket = [0, 0];
  for (const bucket of buckets) {
    const [bound, countUpTo] = bucket;
    if (countUpTo >= rank) {
      if (bound === Infinity) return lower[0];
      const share = countUpTo === lower[1] ? 1 : (rank - lower[1]) / (countUpTo - lower[1]);
      return lower[0] + (bound - lower[0]) * share;
    }
    lower = bucket;
  }
  return lower[0];
}
