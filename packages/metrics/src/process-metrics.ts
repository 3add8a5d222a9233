import { totalmem } from 'node:os';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry, type Aggregator } from 'prom-client';
import { diskSpace } from './disk-space.js';
import { eventLoopMonitor, type EventLoopMonitor, type EventLoopReading } from './event-loop.js';
import { instruments } from './instruments.js';

export interface ProcessMetricsOptions {
  registry: Registry;
  /** A path on the file system whose space is shown. */
  diskPath: string;
}

/** What watches the process: it runs between `start` and `stop`, and can be started again. */
export interface ProcessMetrics {
  start(): void;
  stop(): void;
}

/**
 * Of prom-client's own, those that keep Prometheus' naming conventions. Its event-loop metrics are emptied by
 * whoever scrapes first, its GC histogram counts one collection of each batch, and its start time is left out where
 * processes are added up: these are ours, below.
 */
const PROM_CLIENT_METRICS = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_virtual_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_active_resources',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_version_info',
] as const;

/** Registers metrics of the process, except those that the registry has already. */
export function processMetrics({ registry, diskPath }: ProcessMetricsOptions): ProcessMetrics {
  adoptPromClientMetrics(registry);
  showGauge(registry, {
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    // With the manager of workers begins what is counted, and its start is what a service manager repeats.
    aggregator: 'min',
    read: () => STARTED_SECONDS,
  });
  showGauge(registry, {
    name: 'process_uptime_seconds',
    help: 'Time since the process started.',
    aggregator: 'max',
    read: () => process.uptime(),
  });
  showGauge(registry, {
    name: 'signalbox_memory_limit_bytes',
    help: 'Memory that all processes of the app together may use: of the container, or else the machine.',
    aggregator: 'min',
    read: grantedMemory,
  });
  showDisk(registry, diskPath);
  const eventLoop = eventLoopMetrics(registry);
  const garbage = garbageMetrics(registry);

  return {
    start() {
      eventLoop.start();
      garbage.start();
    },
    stop() {
      eventLoop.stop();
      garbage.stop();
    },
  };
}

const STARTED_SECONDS = Math.round(Date.now() / 1000 - process.uptime());

let promClientMetrics: Registry | undefined;

function adoptPromClientMetrics(registry: Registry): void {
  // Once a process: prom-client has no way to end what it starts here.
  if (promClientMetrics === undefined) {
    promClientMetrics = new Registry();
    // It starts an event-loop monitor as well, which is not used: its timer shall hardly ever wake.
    collectDefaultMetrics({ register: promClientMetrics, eventLoopMonitoringPrecision: 3_600_000 });
  }
  for (const name of PROM_CLIENT_METRICS) {
    const metric = promClientMetrics.getSingleMetric(name);
    if (metric !== undefined && isFree(registry, name)) registry.registerMetric(metric);
  }
}

/** Whoever calls prom-client's `collectDefaultMetrics` first keeps those. */
function isFree(registry: Registry, name: string): boolean {
  return registry.getSingleMetric(name) === undefined;
}

interface ReadGauge {
  name: string;
  help: string;
  aggregator: Aggregator;
  /** `undefined` shows no value. */
  read: () => number | undefined | Promise<number | undefined>;
}

function showGauge(registry: Registry, { name, help, aggregator, read }: ReadGauge): void {
  if (!isFree(registry, name)) return;
  const gauge = new Gauge({ name, help, aggregator, registers: [], collect });
  registry.registerMetric(gauge);

  async function collect(): Promise<void> {
    const value = await read();
    if (value === undefined) gauge.remove();
    else gauge.set(value);
  }
}

function showDisk(registry: Registry, path: string): void {
  const disk = diskSpace(path);
  showGauge(registry, {
    name: 'signalbox_disk_size_bytes',
    help: 'Size of the file system that the process works on.',
    aggregator: 'max',
    read: async () => (await disk.read())?.sizeBytes,
  });
  showGauge(registry, {
    name: 'signalbox_disk_available_bytes',
    help: 'Space on that file system that the process may use.',
    aggregator: 'min',
    read: async () => (await disk.read())?.availableBytes,
  });
}

/** The limit of the cgroup where there is one; libuv says 0 or an absurd number where there is none. */
function grantedMemory(): number {
  const machine = totalmem();
  const constrained = process.constrainedMemory();
  return constrained !== undefined && constrained > 0 ? Math.min(constrained, machine) : machine;
}

function eventLoopMetrics(registry: Registry): ProcessMetrics {
  let monitor: EventLoopMonitor | undefined;
  const show = (name: string, help: string, pick: (reading: EventLoopReading) => number): void => {
    // The worst worker is the one to know about.
    showGauge(registry, {
      name,
      help,
      aggregator: 'max',
      read: () => (monitor === undefined ? undefined : pick(monitor.read())),
    });
  };
  show('nodejs_eventloop_lag_p50_seconds', 'Median delay of the event loop.', (r) => r.delayP50Seconds);
  show(
    'nodejs_eventloop_lag_p99_seconds',
    '99th percentile of the event-loop delay.',
    (r) => r.delayP99Seconds,
  );
  show(
    'nodejs_eventloop_lag_max_seconds',
    'Longest delay of the event loop within a minute.',
    (r) => r.delayMaxSeconds,
  );
  show(
    'nodejs_eventloop_utilization_ratio',
    'Share of time that the event loop is busy.',
    (r) => r.utilization,
  );

  return {
    start() {
      monitor ??= eventLoopMonitor();
    },
    stop() {
      monitor?.close();
      monitor = undefined;
    },
  };
}

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

function garbageMetrics(registry: Registry): ProcessMetrics {
  const name = 'nodejs_gc_duration_seconds';
  if (!isFree(registry, name)) return { start() {}, stop() {} };

  const durations = instruments(registry, Object.keys(GC_KINDS).length + 2).histogram(
    name,
    'Duration of garbage collections by kind.',
    ['kind'],
    [0.0001, 0.001, 0.01, 0.1, 1],
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      durations.of(kindOf(entry)).tally.add(entry.duration / 1000);
    }
  });
  return {
    start: () => observer.observe({ entryTypes: ['gc'] }),
    stop: () => observer.disconnect(),
  };
}

function kindOf(collection: object): string {
  const { kind } = (collection as { detail: { kind: number } }).detail;
  return GC_KINDS[kind] ?? 'other';
}
