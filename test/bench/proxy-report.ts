/** One visit to one proxy with one kind of request. */
export interface ProxySample {
  round: number;
  proxy: string;
  kind: string;
  perSecond: number;
  cpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
}

const PEER = 'httpxy';

/**
 * Prints a table: medians of the rounds, and the median, lowest and highest of the ratios that each round gave. How
 * far apart those are tells how quiet the machine was.
 */
export function printProxyReport(title: string, samples: readonly ProxySample[]): void {
  const rows = [...new Set(samples.map(({ proxy }) => proxy))].map((proxy) => {
    const own = samples.filter((sample) => sample.proxy === proxy);
    return [
      proxy,
      {
        'req/s': Math.round(median(own.map(({ perSecond }) => perSecond))),
        [`÷ ${PEER}`]: ratios(own, samples, PEER, ({ perSecond }) => perSecond),
        '÷ nginx': ratios(own, samples, 'nginx', ({ perSecond }) => perSecond),
        'CPU µs': median(own.map(({ cpuMicroseconds }) => cpuMicroseconds)).toFixed(1),
        [`${PEER}'s CPU ÷ it`]: ratios(own, samples, PEER, ({ cpuMicroseconds }) => 1 / cpuMicroseconds),
        "CPU ÷ nginx's": ratios(own, samples, 'nginx', ({ cpuMicroseconds }) => cpuMicroseconds),
        'p50 ms': median(own.map(({ p50Ms }) => p50Ms)).toFixed(1),
        'p99 ms': median(own.map(({ p99Ms }) => p99Ms)).toFixed(1),
      },
    ] as const;
  });
  console.log(`\n${title}`);
  console.table(Object.fromEntries(rows));
}

/** Of each round, to the base in the same round. */
function ratios(
  own: readonly ProxySample[],
  all: readonly ProxySample[],
  base: string,
  value: (sample: ProxySample) => number,
): string {
  const each = own.flatMap((sample) => {
    const other = all.find(({ proxy, round }) => proxy === base && round === sample.round);
    return other === undefined ? [] : [value(sample) / value(other)];
  });
  if (each.length === 0) return '–';
  const [low, high] = [Math.min(...each), Math.max(...each)];
  return `${median(each).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
