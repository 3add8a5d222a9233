import type { Aggregator } from 'prom-client';
import { ColumnIndex, rowOf, type Column, type PackedMetric, type Row } from './packing.js';

/**
 * Joins the metrics of several processes, each by its own aggregator, as prom-client's
 * `AggregatorRegistry.aggregate` does. That takes 200 ms for four workers with 1 000 series, which is too much of
 * the second that a scrape may take; on rows it is a tenth.
 */
export function merge(processes: readonly (readonly PackedMetric[])[]): PackedMetric[] {
  const byName = new Map<string, PackedMetric[]>();
  for (const metric of processes.flat()) {
    const same = byName.get(metric.about.name);
    if (same === undefined) byName.set(metric.about.name, [metric]);
    else same.push(metric);
  }
  return [...byName.values()].flatMap(mergeMetric);
}

/**
 * What must outlive the process that counted it: counters, histograms, and of summaries what is not a quantile.
 */
export function lasting(metrics: readonly PackedMetric[]): PackedMetric[] {
  return metrics.filter(({ about }) => about.type !== 'gauge').map(withoutQuantiles);
}

function mergeMetric(all: readonly PackedMetric[]): PackedMetric[] {
  const metrics = all[0]?.about.type === 'histogram' ? withSameBuckets(all) : all;
  const [first] = metrics;
  if (first === undefined || first.about.aggregator === 'omit') return [];
  const { aggregator } = first.about;
  const join = JOIN[aggregator];
  const columns = new ColumnIndex();
  const rows = new Map<string, Row>();
  // How many processes had the number; for averages.
  const times = new Map<Row, number[]>();

  for (const metric of metrics) {
    const places = metric.columns.map((column) => columns.of(column));
    for (const [labels, numbers] of metric.rows) {
      const row = rowOf(rows, labels);
      const seen = times.get(row) ?? [];
      times.set(row, seen);
      for (const [i, number] of numbers.entries()) {
        const place = places[i];
        if (typeof number !== 'number' || place === undefined) continue; // A hole, or null once it has travelled.
        const before = row[1][place];
        row[1][place] = before === null || before === undefined ? number : join(before, number);
        seen[place] = (seen[place] ?? 0) + 1;
      }
    }
  }
  if (aggregator === 'average') {
    for (const [row, seen] of times)
      row[1] = row[1].map((sum, i) => (sum === null ? null : sum / (seen[i] ?? 1)));
  }
  return [{ about: first.about, columns: columns.list, rows: [...rows.values()] }];
}

/**
 * Another version of the program may have other buckets. Below a bound that a process does not have lies at least what
 * lies below its next smaller one: without that a bucket would hold less than a smaller one, which no histogram does.
 */
function withSameBuckets(metrics: readonly PackedMetric[]): readonly PackedMetric[] {
  const bounds = new Map<number, Column>();
  for (const column of metrics.flatMap(({ columns }) => columns)) {
    if (column[1] !== null) bounds.set(boundOf(column), column);
  }
  if (metrics.every(({ columns }) => columns.filter(isBucket).length === bounds.size)) return metrics;

  const ascending = [...bounds].toSorted(([a], [b]) => a - b);
  const buckets = ascending.map(([, column]) => column);
  return metrics.map(({ about, columns, rows }) => {
    const places = ascending.map(([bound]) => placeUpTo(bound, columns));
    const others = [...columns.keys()].filter((place) => !isBucket(columns[place]));
    return {
      about,
      columns: [...buckets, ...columns.filter((column) => !isBucket(column))],
      rows: rows.map(([labels, numbers]) => [
        labels,
        [
          ...places.map((place) => (place === undefined ? 0 : (numbers[place] ?? null))),
          ...others.map((place) => numbers[place] ?? null),
        ],
      ]),
    };
  });
}

function isBucket(column: Column | undefined): boolean {
  return column !== undefined && column[1] !== null;
}

function boundOf([, bound]: Column): number {
  return bound === '+Inf' ? Infinity : Number(bound);
}

/** The column of the largest bound that is not above this one. */
function placeUpTo(bound: number, columns: readonly Column[]): number | undefined {
  let found: number | undefined;
  let largest = -Infinity;
  for (const [place, column] of columns.entries()) {
    const own = boundOf(column);
    if (!isBucket(column) || own > bound || own < largest) continue;
    found = place;
    largest = own;
  }
  return found;
}

const JOIN: Readonly<Record<Aggregator, (before: number, number: number) => number>> = {
  sum: (before, number) => before + number,
  average: (before, number) => before + number,
  first: (before) => before,
  min: (before, number) => Math.min(before, number),
  max: (before, number) => Math.max(before, number),
  omit: (before) => before,
};

function withoutQuantiles(metric: PackedMetric): PackedMetric {
  if (metric.about.type !== 'summary') return metric;
  const kept = metric.columns.map(([, quantile]) => quantile === null);
  return {
    ...metric,
    rows: metric.rows.map(([labels, numbers]) => [
      labels,
      numbers.map((number, i) => (kept[i] === true ? number : null)),
    ]),
  };
}
