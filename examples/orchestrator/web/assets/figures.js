/** What Prometheus's text says: the lines of each metric, as `{ labels, value }`. */
export function readMetrics(text) {
  const metrics = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name === undefined) continue;
    if (!metrics.has(name)) metrics.set(name, []);
    metrics.get(name).push({ labels: readLabels(labels), value: Number(value) });
  }
  return metrics;
}

function readLabels(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
  return labels;
}

/** What the operators look at is no traffic. */
const isTraffic = ({ route = '' }) => !/^\/(admin|metrics|health|livez|readyz|status)/.test(route);

/** The figures of the time between two readings; `null` where nothing happened that could have one. */
export function figuresOf(before, after, seconds) {
  const rise = (name, matches = () => true) =>
    Math.max(0, sumOf(after, name, matches) - sumOf(before, name, matches));
  const requests = rise('http_requests_total', isTraffic);
  const failed = rise('http_requests_total', (labels) => isTraffic(labels) && labels.status.startsWith('5'));
  const lookups = rise('signalbox_cache_lookups_total');
  const hits = rise('signalbox_cache_lookups_total', ({ outcome }) =>
    /^(hit|stale|coalesced)$/.test(outcome),
  );
  const refused = rise('signalbox_rate_limit_decisions_total', ({ outcome }) => outcome === 'refused');
  const size = sumOf(after, 'signalbox_database_pool_size');
  return {
    requests: requests / seconds,
    errors: requests === 0 ? null : failed / requests,
    latencyMs: quantile(0.99, before, after),
    hitRate: lookups === 0 ? null : hits / lookups,
    refused: refused / seconds,
    pool: size === 0 ? null : (size - sumOf(after, 'signalbox_database_pool_idle')) / size,
    lagMs: sumOf(after, 'nodejs_eventloop_lag_p99_seconds') * 1_000,
    memoryMb: sumOf(after, 'process_resident_memory_bytes') / 1_048_576,
    sockets: sumOf(after, 'signalbox_sockets_connected'),
  };
}

function sumOf(metrics, name, matches = () => true) {
  let sum = 0;
  for (const { labels, value } of metrics.get(name) ?? []) if (matches(labels)) sum += value;
  return sum;
}

/** In milliseconds, of the requests between two readings, as Prometheus's `histogram_quantile` reckons. */
function quantile(share, before, after) {
  const name = 'http_request_duration_seconds_bucket';
  const bounds = new Map();
  for (const [metrics, sign] of [
    [before, -1],
    [after, 1],
  ]) {
    for (const { labels, value } of metrics.get(name) ?? []) {
      if (!isTraffic(labels)) continue;
      const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
      bounds.set(bound, (bounds.get(bound) ?? 0) + sign * value);
    }
  }
  const buckets = [...bounds].toSorted(([one], [other]) => one - other);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= share * total) {
      if (bound === Infinity) return lower * 1_000;
      return (lower + ((bound - lower) * (share * total - below)) / Math.max(1, count - below)) * 1_000;
    }
    [lower, below] = [bound, count];
  }
  return null;
}
