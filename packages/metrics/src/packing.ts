import type { MetricSnapshot, Sample } from './snapshot.js';

/**
 * A metric as it travels between processes. A histogram of twelve buckets has fifteen samples for each label
 * set, all with the same labels; here they are one row. That is a tenth of the size: small enough for what a
 * process sends as it exits, which must fit into the channel's buffer.
 */
export interface PackedMetric {
  about: Omit<MetricSnapshot, 'values'>;
  /** What the numbers of a row are: the sample's name where it has its own, and its bucket or quantile. */
  columns: [metricName: string | null, part: string | number | null][];
  rows: [labels: Sample['labels'], numbers: (number | null)[]][];
}

export function pack({ values, ...about }: MetricSnapshot): PackedMetric {
  const part = partLabel(about.type);
  const columns = new Map<string, number>();
  const rows = new Map<string, (number | null)[]>();
  const packed: PackedMetric = { about, columns: [], rows: [] };

  for (const { metricName, labels, value } of values) {
    if (!Number.isFinite(value)) continue; // JSON has no NaN and no infinity.
    const { [part]: partValue, ...rest } = labels;

    const columnKey = `${metricName} ${partValue}`;
    let column = columns.get(columnKey);
    if (column === undefined) {
      column = columns.size;
      columns.set(columnKey, column);
      packed.columns.push([metricName ?? null, partValue ?? null]);
    }

    const rowKey = JSON.stringify(rest);
    let row = rows.get(rowKey);
    if (row === undefined) {
      row = [];
      rows.set(rowKey, row);
      packed.rows.push([rest, row]);
    }
    // What is skipped becomes `null` on the way.
    row[column] = value;
  }
  return packed;
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

/** The label that tells the samples of one label set apart. Other types have one sample each. */
function partLabel(type: MetricSnapshot['type']): 'le' | 'quantile' | '' {
  if (type === 'histogram') return 'le';
  return type === 'summary' ? 'quantile' : '';
}
