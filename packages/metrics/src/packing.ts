import type { MetricSnapshot, Sample } from './snapshot.js';

/**
 * A metric as it travels between processes. A histogram of twelve buckets has fifteen samples for each label
 * set, all with the same labels; here they are one row. That is a tenth of the size, small enough for what a
 * process sends as it exits, which must fit into the channel's buffer, and quick to add up.
 */
export interface PackedMetric {
  about: Omit<MetricSnapshot, 'values'>;
  /** What the numbers of a row are: the sample's name where it has its own, and its bucket or quantile. */
  columns: Column[];
  rows: Row[];
}

export type Column = [metricName: string | null, part: string | number | null];

/** A number that a row does not have is `null`. */
export type Row = [labels: Sample['labels'], numbers: (number | null)[]];

/** Rows that differ from those of an earlier list of metrics. */
export interface Change {
  /** Where the metric stands in that list. */
  place: number;
  /** With these rows alone. */
  metric: PackedMetric;
}

export function changesSince(before: readonly PackedMetric[], now: readonly PackedMetric[]): Change[] {
  return now.flatMap((metric, place) => {
    const earlier = before[place]?.rows;
    const rows = metric.rows.filter((row, i) => !isSameRow(earlier?.[i], row));
    return rows.length === 0 ? [] : [{ place, metric: { ...metric, rows } }];
  });
}

export function withChanges(before: readonly PackedMetric[], changes: readonly Change[]): PackedMetric[] {
  const now = [...before];
  for (const { place, metric } of changes) {
    const changed = new Set(metric.rows.map(([labels]) => keyOf(labels)));
    const earlier = before[place];
    if (earlier !== undefined) {
      now[place] = { ...earlier, rows: earlier.rows.filter(([labels]) => !changed.has(keyOf(labels))) };
    }
    now.push(metric);
  }
  return now;
}

function isSameRow(before: Row | undefined, now: Row): boolean {
  if (before === undefined || before[1].length !== now[1].length) return false;
  return before[1].every((number, i) => number === now[1][i]) && keyOf(before[0]) === keyOf(now[0]);
}

export function pack({ values, ...about }: MetricSnapshot): PackedMetric {
  const part = partLabel(about.type);
  const columns = new ColumnIndex();
  const rows = new Map<string, Row>();
  let row: Row | undefined;

  for (const { metricName, labels, value } of values) {
    if (!Number.isFinite(value)) continue; // JSON has no NaN and no infinity.
    // The samples of a label set come one after the other.
    if (row === undefined || !haveSameLabels(row[0], labels, part)) {
      const { [part]: _, ...own } = labels;
      row = rowOf(rows, own);
    }
    row[1][columns.of([metricName ?? null, labels[part] ?? null])] = value;
  }
  return { about, columns: columns.list, rows: [...rows.values()] };
}

export function unpack({ about, columns, rows }: PackedMetric): MetricSnapshot {
  const part = partLabel(about.type);
  const values: Sample[] = [];
  for (const [labels, numbers] of rows) {
    for (const [column, [metricName, partValue]] of columns.entries()) {
      const value = numbers[column];
      if (value === null || value === undefined) continue;
      const whole = partValue === null ? labels : { [part]: partValue, ...labels };
      values.push(metricName === null ? { labels: whole, value } : { metricName, labels: whole, value });
    }
  }
  return { ...about, values };
}

/** Gives each column its place, in the order in which they come. */
export class ColumnIndex {
  readonly list: Column[] = [];
  readonly #places = new Map<string, number>();

  of(column: Column): number {
    const key = `${column[0]} ${column[1]}`;
    const place = this.#places.get(key) ?? this.list.length;
    if (place === this.list.length) {
      this.#places.set(key, place);
      this.list.push(column);
    }
    return place;
  }
}

/** The row of these labels, whatever order they are in; an empty one where there is none yet. */
export function rowOf(rows: Map<string, Row>, labels: Sample['labels']): Row {
  const key = keyOf(labels);
  let row = rows.get(key);
  if (row === undefined) {
    row = [labels, []];
    rows.set(key, row);
  }
  return row;
}

function keyOf(labels: Sample['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}\n`)
    .toSorted(byText)
    .join('');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function haveSameLabels(row: Sample['labels'], labels: Sample['labels'], part: string): boolean {
  let count = 0;
  for (const name in labels) {
    if (name === part) continue;
    if (row[name] !== labels[name]) return false;
    count += 1;
  }
  return Object.keys(row).length === count;
}

/** The label that tells the samples of one label set apart. Other types have one sample each. */
function partLabel(type: MetricSnapshot['type']): 'le' | 'quantile' | '' {
  if (type === 'histogram') return 'le';
  return type === 'summary' ? 'quantile' : '';
}
