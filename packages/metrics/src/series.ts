import { signals } from '@signalbox/signals';

/** One label set of a metric. What is counted under it lives in the type that extends this. */
export interface Cell {
  readonly labels: Readonly<Record<string, string>>;
}

/** The label sets of a metric: one cell each, at most `maxSeries` of them. */
export interface Series<C extends Cell> {
  /** The cell of these values, in the order of the label names; made when it is new and there is room. */
  of(...values: readonly LabelValue[]): C;
  readonly cells: readonly C[];
}

export type LabelValue = string | number;

export interface SeriesOptions<C extends Cell> {
  /** The metrics that share these label sets. */
  metrics: readonly string[];
  labelNames: readonly string[];
  maxSeries: number;
  makeCell: (labels: Readonly<Record<string, string>>) => C;
}

/** Every label of the series that takes what no longer fits. */
const OVERFLOW = '__overflow__';

/** A tree by label value: finding a cell costs one map lookup a label and builds no string. */
interface Branch<C> {
  readonly branches: Map<LabelValue, Branch<C>>;
  cell: C | undefined;
}

/**
 * Keeps one cell for each label set, and never more than `maxSeries`: the last one is kept back for
 * `__overflow__`, which then takes all label sets that come later. The first time that happens is
 * reported by one warning and by `signals.seriesOverflow` for each metric.
 */
export function series<C extends Cell>({
  metrics,
  labelNames,
  maxSeries,
  makeCell,
}: SeriesOptions<C>): Series<C> {
  const root: Branch<C> = { branches: new Map(), cell: undefined };
  const cells: C[] = [];
  let overflow: C | undefined;

  function add(values: readonly LabelValue[]): C {
    if (overflow !== undefined) return overflow;
    if (cells.length >= maxSeries - 1) {
      overflow = addCell(labelNames.map(() => OVERFLOW));
      reportOverflow(metrics, maxSeries);
      return overflow;
    }
    let branch = root;
    for (const value of values) {
      let next = branch.branches.get(value);
      if (next === undefined) {
        next = { branches: new Map(), cell: undefined };
        branch.branches.set(value, next);
      }
      branch = next;
    }
    branch.cell = addCell(values);
    return branch.cell;
  }

  function addCell(values: readonly LabelValue[]): C {
    const cell = makeCell(Object.fromEntries(labelNames.map((name, i) => [name, String(values[i])])));
    cells.push(cell);
    return cell;
  }

  return {
    cells,
    of(...values) {
      let branch: Branch<C> | undefined = root;
      for (const value of values) {
        branch = branch.branches.get(value);
        if (branch === undefined) return add(values);
      }
      return branch.cell ?? add(values);
    },
  };
}

function reportOverflow(metrics: readonly string[], maxSeries: number): void {
  process.emitWarning(
    `${metrics.join(', ')}: ${maxSeries} series are in use; further label sets are counted together as ${OVERFLOW}`,
    { type: 'SeriesOverflowWarning', code: 'SIGNALBOX_SERIES_OVERFLOW' },
  );
  for (const metric of metrics) signals.seriesOverflow.publish({ metric, maxSeries });
}
