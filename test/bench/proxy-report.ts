/** One visit to one proxy with one kind of request. */
export interface ProxySample {
  /** The same for visits that stood beside each other. */
  turn: string;
  proxy: string;
  kind: string;
  perSecond: number;
  cpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
}

const PEER = 'httpxy';

/**
 * Prints a table: medians of all visits, and of the ratios in each turn the median and the quartiles. How far apart
 * those are tells how quiet the machine was.
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

/** Of each visit, to the base in the same turn. */
function ratios(
  own: readonly ProxySample[],
  all: readonly ProxySample[],
  base: string,
  value: (sample: ProxySample) => number,
): string {
  const each = own.flatMap((sample) => {
    const other = all.find(({ proxy, turn }) => proxy === base && turn === sample.turn);
    return other === undefined ? [] : [value(sample) / value(other)];
  });
  if (each.length === 0) return '–';
  return `${median(each).toFixed(2)} (${quantile(each, 0.25).toFixed(2)}–${quantile(each, 0.75).toFixed(2)})`;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
}
