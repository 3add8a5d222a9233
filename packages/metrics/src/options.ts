import { statSync } from 'node:fs';
import { register, type Registry } from 'prom-client';

/** Options of {@link metrics}. */
export interface MetricsOptions {
  /**
   * Where the metrics live. All calls with one registry share its metrics.
   * @default prom-client's global `register`
   */
  registry?: Registry | undefined;
  /**
   * Upper bounds of the buckets of `http_request_duration_seconds`, in seconds, ascending.
   * @default [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
   */
  buckets?: readonly number[] | undefined;
  /**
   * Upper bounds of the buckets of request and response sizes, in bytes, ascending.
   * @default [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
   */
  sizeBuckets?: readonly number[] | undefined;
  /**
   * Label sets that a metric may have. The last one is `__overflow__` and takes all that come later. An
   * integer of at least 2.
   * @default 1_000
   */
  maxSeries?: number | undefined;
  /**
   * Whether metrics of the process are shown: CPU, memory, event loop, garbage collection, disk.
   * @default true
   */
  process?: boolean | undefined;
  /**
   * Whether metrics of features are shown, made of the signals that other packages publish.
   * @default true
   */
  features?: boolean | undefined;
  /**
   * A path on the file system whose space is shown.
   * @default '/'
   */
  diskPath?: string | undefined;
  /**
   * Whether a worker of node:cluster counts for its whole app, with `clusterMetrics()` in the primary. In a
   * process that is no worker it has no effect.
   * @default true
   */
  cluster?: boolean | undefined;
}

/** The options with their defaults. */
export type MetricsSettings = { [Name in keyof MetricsOptions]-?: NonNullable<MetricsOptions[Name]> };

/** prom-client's own, which dashboards expect. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SIZE_BUCKETS = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

const NAMES = [
  'registry',
  'buckets',
  'sizeBuckets',
  'maxSeries',
  'process',
  'features',
  'diskPath',
  'cluster',
];

/** Fills in the defaults, or throws a `TypeError` naming `caller` and the bad option. */
export function resolveOptions(caller: string, options: MetricsOptions): MetricsSettings {
  requireKnown(caller, options, NAMES);
  const {
    registry = register,
    buckets = BUCKETS,
    sizeBuckets = SIZE_BUCKETS,
    maxSeries = 1_000,
    process = true,
    features = true,
    diskPath = '/',
    cluster = true,
  } = options;

  requireRegistry(caller, registry);
  requireBounds(caller, 'buckets', buckets);
  requireBounds(caller, 'sizeBuckets', sizeBuckets);
  if (!Number.isSafeInteger(maxSeries) || maxSeries < 2) {
    throw new TypeError(`${caller}: "maxSeries" must be an integer of at least 2, got ${String(maxSeries)}`);
  }
  requireBoolean(caller, 'process', process);
  requireBoolean(caller, 'features', features);
  requireBoolean(caller, 'cluster', cluster);
  requirePath(caller, diskPath);

  return { registry, buckets, sizeBuckets, maxSeries, process, features, diskPath, cluster };
}

export function requireKnown(caller: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const meant = names.find((known) => known.toLowerCase().startsWith(name.toLowerCase().slice(0, 4)));
    const hint = meant === undefined ? `; there are ${names.join(', ')}` : `; did you mean "${meant}"?`;
    throw new TypeError(`${caller}: unknown option "${name}"${hint}`);
  }
}

export function requireRegistry(caller: string, registry: unknown): void {
  // Not `instanceof`: the app may have a copy of prom-client of its own.
  const fits =
    typeof registry === 'object' &&
    registry !== null &&
    'registerMetric' in registry &&
    'getMetricsAsJSON' in registry;
  if (!fits)
    throw new TypeError(`${caller}: "registry" must be a Registry of prom-client, got ${String(registry)}`);
}

function requireBoolean(caller: string, option: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new TypeError(`${caller}: "${option}" must be true or false, got ${String(value)}`);
}

function requireBounds(caller: string, option: string, bounds: unknown): void {
  const fits =
    Array.isArray(bounds) &&
    bounds.length > 0 &&
    bounds.every((bound, i) => Number.isFinite(bound) && bound > 0 && (i === 0 || bound > bounds[i - 1]));
  if (!fits) {
    throw new TypeError(`${caller}: "${option}" must be ascending numbers above 0, got ${String(bounds)}`);
  }
}

function requirePath(caller: string, path: unknown): void {
  if (typeof path === 'string' && statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  throw new TypeError(`${caller}: "diskPath" must be a path that exists, got ${String(path)}`);
}
