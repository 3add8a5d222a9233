import {
  Counter,
  Gauge,
  Histogram,
  type Aggregator,
  type MetricObjectWithValues,
  type Registry,
} from 'prom-client';
import { series, type Cell, type Series } from './series.js';
import type { Sample } from './snapshot.js';
import { tally, type Tally } from './tally.js';

/** A label set with one number: `hits.of('/users').value += 1`. */
export interface NumberCell extends Cell {
  value: number;
}

/** A label set with a distribution: `seconds.of('get').tally.add(0.02)`. */
export interface TallyCell extends Cell {
  readonly tally: Tally;
}

/** What prom-client is told of a metric whose numbers are kept in cells. */
export interface Instrument<C extends Cell> {
  registry: Registry;
  name: string;
  help: string;
  labelNames: readonly string[];
  cells: readonly C[];
}

/** Shows a number of each cell, one that only grows, as a counter. */
export function showCounter<C extends Cell>(
  { registry, cells, ...texts }: Instrument<C>,
  read: (cell: C) => number,
): Counter {
  const kept = () => cells.map((cell) => ({ labels: cell.labels, value: read(cell) }));
  return new CellCounter({ ...texts, registers: [registry] }, kept);
}

/** Shows the number of each cell as a gauge. In a cluster the workers' gauges are joined by `aggregator`. */
function showGauge(
  { registry, cells, ...texts }: Instrument<NumberCell>,
  aggregator: Aggregator = 'sum',
): Gauge {
  return new Gauge({
    ...texts,
    aggregator,
    registers: [registry],
    collect() {
      for (const cell of cells) this.set(cell.labels, cell.value);
    },
  });
}

/** Shows a tally of each cell as a histogram. `bounds` are those that the tallies were made with. */
export function showHistogram<C extends Cell>(
  { registry, cells, ...texts }: Instrument<C>,
  bounds: readonly number[],
  read: (cell: C) => Tally,
): Histogram {
  const kept = () => cells.map((cell) => ({ labels: cell.labels, tally: read(cell) }));
  return new TallyHistogram({ ...texts, buckets: [...bounds], registers: [registry] }, kept);
}

/**
 * What the metrics of a registry that are kept in cells say now. prom-client itself can only be asked
 * asynchronously, which is too late for a process that exits.
 */
export function readNow(registry: Registry): Map<string, Sample[]> {
  const kept = registry
    .getMetricsAsArray()
    .filter((metric) => metric instanceof CellCounter || metric instanceof TallyHistogram);
  return new Map(kept.map((metric) => [metric.name, metric.samples()]));
}

type CounterSettings = ConstructorParameters<typeof Counter>[0];
type HistogramSettings = ConstructorParameters<typeof Histogram>[0];
type Values = MetricObjectWithValues<Sample>;

/** A counter that is read from cells. */
class CellCounter extends Counter {
  // Not yet there when the parent's constructor calls `reset`.
  readonly kept: (() => readonly NumberCell[]) | undefined;
  /** What the cells had when `registry.resetMetrics()` was called last, by labels. */
  readonly #before = new Map<Cell['labels'], number>();

  constructor(settings: CounterSettings, kept: () => readonly NumberCell[]) {
    super(settings);
    this.kept = kept;
  }

  samples(): Sample[] {
    const cells = this.kept?.() ?? [];
    return cells.map(({ labels, value }) => ({ labels, value: value - (this.#before.get(labels) ?? 0) }));
  }

  override async get(): Promise<Values> {
    return { ...(await super.get()), values: this.samples() };
  }

  override reset(): void {
    super.reset();
    for (const { labels, value } of this.kept?.() ?? []) this.#before.set(labels, value);
  }
}

/**
 * A histogram that is read from tallies. prom-client has no way to add to a bucket but `observe`, once for
 * each value, so this answers `get` itself.
 */
class TallyHistogram extends Histogram {
  readonly #name: string;
  readonly #bounds: readonly number[];
  /** Gives what belongs to the metric besides its samples. The parent's own `get` ends in `getForPromString`. */
  readonly #empty: Histogram;
  // Not yet there when the parent's constructor calls `reset`.
  readonly kept: (() => readonly TallyCell[]) | undefined;

  constructor(settings: HistogramSettings, kept: () => readonly TallyCell[]) {
    super(settings);
    this.#name = settings.name;
    this.#bounds = settings.buckets ?? [];
    this.#empty = new Histogram({ ...settings, registers: [] });
    this.kept = kept;
  }

  samples(): Sample[] {
    const cells = this.kept?.() ?? [];
    return cells.flatMap((cell) => this.#samplesOf(cell));
  }

  override async get(): Promise<Values> {
    return { ...(await this.#empty.get()), values: this.samples() };
  }

  /** What `registry.metrics()` calls in place of `get` where there is one; the parent's knows no tallies. */
  getForPromString(): Promise<Values> {
    return this.get();
  }

  override reset(): void {
    super.reset();
    for (const { tally } of this.kept?.() ?? []) tally.clear();
  }

  #samplesOf({ labels, tally }: TallyCell): Sample[] {
    let below = 0;
    const buckets = this.#bounds.map((bound, i) => {
      below += tally.counts[i] ?? 0;
      return bucketValue(this.#name, labels, bound, below);
    });
    const count = below + (tally.counts.at(-1) ?? 0);
    return [
      ...buckets,
      bucketValue(this.#name, labels, '+Inf', count),
      { metricName: `${this.#name}_sum`, labels, value: tally.sum },
      { metricName: `${this.#name}_count`, labels, value: count },
    ];
  }
}

function bucketValue(name: string, labels: Cell['labels'], le: number | '+Inf', value: number): Sample {
  return { metricName: `${name}_bucket`, labels: { le, ...labels }, value };
}

/** Makes metrics with cells of their own, all in one registry and under one bound of series. */
export interface Instruments {
  counter(name: string, help: string, labelNames: readonly string[]): Series<NumberCell>;
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    aggregator?: Aggregator,
  ): Series<NumberCell>;
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): Series<TallyCell>;
}

export function instruments(registry: Registry, maxSeries: number): Instruments {
  const numbers = (name: string, labelNames: readonly string[]) =>
    series<NumberCell>({
      metrics: [name],
      labelNames,
      maxSeries,
      makeCell: (labels) => ({ labels, value: 0 }),
    });

  return {
    counter(name, help, labelNames) {
      const kept = numbers(name, labelNames);
      showCounter({ registry, name, help, labelNames, cells: kept.cells }, (cell) => cell.value);
      return kept;
    },
    gauge(name, help, labelNames, aggregator) {
      const kept = numbers(name, labelNames);
      showGauge({ registry, name, help, labelNames, cells: kept.cells }, aggregator);
      return kept;
    },
    histogram(name, help, labelNames, bounds) {
      const kept = series<TallyCell>({
        metrics: [name],
        labelNames,
        maxSeries,
        makeCell: (labels) => ({ labels, tally: tally(bounds) }),
      });
      showHistogram({ registry, name, help, labelNames, cells: kept.cells }, bounds, (cell) => cell.tally);
      return kept;
    },
  };
}
