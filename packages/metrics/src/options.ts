import { statSync } from 'node:fs';
import { refuseUnknownOptions, requireBoolean, requireInteger, wrongOption } from '@signalbox/options';
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
  refuseUnknownOptions(caller, options, NAMES);
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
  requireInteger(caller, 'maxSeries', maxSeries, 2);
  requireBoolean(caller, 'process', process);
  requireBoolean(caller, 'features', features);
  requireBoolean(caller, 'cluster', cluster);
  requirePath(caller, diskPath);

  return { registry, buckets, sizeBuckets, maxSeries, process, features, diskPath, cluster };
}

export function requireRegistry(caller: string, registry: unknown): void {
  // Not `instanceof`: the app may have a copy of prom-client of its own.
  const fits =
    typeof registry === 'object' &&
    registry !== null &&
    'registerMetric' in registry &&
    'getMetricsAsJSON' in registry;
  if (!fits) throw wrongOption(caller, 'registry', 'a Registry of prom-client', registry);
}

function requireBounds(caller: string, option: string, bounds: unknown): void {
  const fits =
    Array.isArray(bounds) &&
    bounds.length > 0 &&
    bounds.every((bound, i) => Number.isFinite(bound) && bound > 0 && (i === 0 || bound > bounds[i - 1]));
  if (fits) return;
  const got = Array.isArray(bounds) ? bounds.join(', ') : bounds;
  throw wrongOption(caller, option, 'a list of ascending numbers above 0', got);
}

function requirePath(caller: string, path: unknown): void {
  if (typeof path === 'string' && statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  throw wrongOption(caller, 'diskPath', 'a path that exists', path);
}
