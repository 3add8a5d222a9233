import { refuseUnknownOptions, requireInteger, requireMilliseconds } from '@signalbox/options';
import { promDuration } from '../expression.js';
import { readDurations } from '../metrics-registry.js';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';
import { READ_MS } from './error-rate.js';
import { otherRoutes, PROBE_ROUTES, requireRoutes, type ByRoute } from './routes.js';
import { window } from './window.js';

export interface LatencyOptions extends Timing, ByRoute {
  /**
   * What 99 of 100 requests must not exceed, in milliseconds. Best one of the histogram's bounds.
   * @default 1_000
   */
  p99AboveMs?: number | undefined;
  /**
   * Over how long it is counted, in milliseconds.
   * @default 300_000
   */
  overMs?: number | undefined;
  /**
   * Requests there must be in that time.
   * @default 100
   */
  minRequests?: number | undefined;
}

/**
 * More than one request in a hundred is slow.
 *
 * @throws {TypeError} when an option is wrong
 */
export function latency(options: LatencyOptions = {}): AlertRule {
  refuseUnknownOptions('latency', options, [
    ...TIMING,
    'p99AboveMs',
    'overMs',
    'minRequests',
    'exceptRoutes',
  ]);
  const { p99AboveMs = 1_000, overMs = 300_000, minRequests = 100, exceptRoutes = PROBE_ROUTES } = options;
  const { severity, forMs, quietMs } = options;
  requireMilliseconds('latency', 'p99AboveMs', p99AboveMs);
  requireMilliseconds('latency', 'overMs', overMs, 1_000);
  requireInteger('latency', 'minRequests', minRequests, 1);
  requireRoutes('latency', exceptRoutes);
  const range = promDuration(overMs);
  const excepted = new Set<unknown>(exceptRoutes);
  const routes = otherRoutes(exceptRoutes);

  return makeRule('latency', {
    name: 'latency',
    severity,
    forMs,
    quietMs,
    needsRegistry: true,
    prometheus: [
      {
        expression: (of) => {
          const buckets = `sum by (le) (rate(${of('http_request_duration_seconds_bucket', ...routes)}[${range}]))`;
          const enough = `sum(increase(${of('http_request_duration_seconds_count', ...routes)}[${range}])) >= ${minRequests}`;
          return `histogram_quantile(0.99, ${buckets}) > ${p99AboveMs / 1_000} and on () ${enough}`;
        },
        summary: 'One request in a hundred takes longer than {{ $value | humanizeDuration }}',
      },
    ],
    watch({ every, holds, gone, now, registry }) {
      const durations = window<ReadonlyMap<number, number>>(
        overMs,
        now,
        (before, after) => (after.get(Infinity) ?? 0) < (before.get(Infinity) ?? 0),
      );
      every(READ_MS, async () => {
        const latest = registry === undefined ? undefined : await readDurations(registry, excepted);
        const first = latest === undefined ? undefined : durations.add(latest);
        if (latest === undefined || first === undefined) return;
        const counts = [...latest]
          .map(([bound, count]) => ({ bound, count: count - (first.get(bound) ?? 0) }))
          .toSorted((a, b) => a.bound - b.bound);
        const all = counts.at(-1)?.count ?? 0;
        const { ms, isMore } = quantile(counts, all * 0.99);
        if (all < minRequests || (isMore ? ms < p99AboveMs : ms <= p99AboveMs)) return gone('http');
        const figure = `${isMore ? 'more than ' : ''}${Math.round(ms)} ms`;
        holds('http', { title: `Requests are slow: p99 is ${figure}`, details: [`of ${all} requests`] });
      });
      return undefined;
    },
  });
}

/** As Prometheus has it: straight between the bounds of the bucket. Beyond the last bound it is more than that. */
function quantile(
  counts: readonly { bound: number; count: number }[],
  rank: number,
): { ms: number; isMore: boolean } {
  let before = { bound: 0, count: 0 };
  for (const bucket of counts) {
    if (bucket.count >= rank && bucket.count > before.count) {
      if (bucket.bound === Infinity) return { ms: before.bound * 1_000, isMore: true };
      const share = (rank - before.count) / (bucket.count - before.count);
      return { ms: (before.bound + (bucket.bound - before.bound) * share) * 1_000, isMore: false };
    }
    before = bucket;
  }
  return { ms: 0, isMore: false };
}
