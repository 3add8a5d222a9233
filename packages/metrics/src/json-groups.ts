import { availableParallelism, freemem, loadavg, totalmem, uptime } from 'node:os';
import type { Reader } from './reading.js';

/** What no metric tells of realtime. */
export interface RealtimeInfo {
  enabled: boolean;
  /** What carries events between nodes, such as `redis`; `null` where nothing does. */
  messageQueue: string | null;
}

type Group = Readonly<Record<string, unknown>>;

/** Of all processes of the app together; delays and utilization are those of the worst. */
export function processGroup(reader: Reader): Group {
  const collections = reader.distribution('nodejs_gc_duration_seconds');
  return {
    pid: process.pid,
    node_version: process.version,
    uptime_seconds: reader.sum('process_uptime_seconds'),
    cpu_seconds_total: reader.sum('process_cpu_seconds_total'),
    cpu_user_seconds_total: reader.sum('process_cpu_user_seconds_total'),
    cpu_system_seconds_total: reader.sum('process_cpu_system_seconds_total'),
    resident_memory_bytes: reader.sum('process_resident_memory_bytes'),
    heap_total_bytes: reader.sum('nodejs_heap_size_total_bytes'),
    heap_used_bytes: reader.sum('nodejs_heap_size_used_bytes'),
    external_memory_bytes: reader.sum('nodejs_external_memory_bytes'),
    open_fds: reader.sum('process_open_fds'),
    active_resources: reader.sum('nodejs_active_resources'),
    event_loop_delay_p50_seconds: reader.sum('nodejs_eventloop_lag_p50_seconds'),
    event_loop_delay_p99_seconds: reader.sum('nodejs_eventloop_lag_p99_seconds'),
    event_loop_utilization: reader.sum('nodejs_eventloop_utilization_ratio'),
    gc_count: collections?.count ?? 0,
    gc_seconds_total: collections?.sum ?? 0,
  };
}

/** Of the machine, or the container. */
export function systemGroup(reader: Reader): Group {
  return {
    platform: process.platform,
    cpus: availableParallelism(),
    load_average: loadavg(),
    memory_total_bytes: totalmem(),
    memory_free_bytes: freemem(),
    uptime_seconds: uptime(),
    disk_size_bytes: reader.sum('signalbox_disk_size_bytes'),
    disk_available_bytes: reader.sum('signalbox_disk_available_bytes'),
  };
}

/** Of all pools that told of themselves. */
export function databaseGroup(reader: Reader): Group {
  const size = reader.sum('signalbox_database_pool_size');
  const idle = reader.sum('signalbox_database_pool_idle');
  return {
    available: size !== null,
    size,
    checked_in: idle,
    checked_out: size === null || idle === null ? null : size - idle,
    waiting: reader.sum('signalbox_database_pool_waiting'),
  };
}

export function realtimeGroup(reader: Reader, info: RealtimeInfo | undefined): Group {
  const connections = reader.sum('signalbox_sockets_connected');
  return {
    // Whoever has had a socket has realtime.
    enabled: info?.enabled ?? connections !== null,
    message_queue: info?.messageQueue ?? null,
    connections: connections ?? 0,
  };
}

export function httpGroup(reader: Reader): Group {
  const requests = (first: string) =>
    reader.sum('http_requests_total', ({ status }) => String(status).startsWith(first)) ?? 0;
  const aborted = requests('499');
  const durations = reader.distribution('http_request_duration_seconds');
  return {
    requests_total: requests(''),
    requests_in_flight: reader.sum('http_requests_in_flight') ?? 0,
    responses: {
      '1xx': requests('1'),
      '2xx': requests('2'),
      '3xx': requests('3'),
      '4xx': requests('4') - aborted,
      '5xx': requests('5'),
    },
    aborted_total: aborted,
    duration_seconds: {
      mean: durations === null ? null : durations.sum / durations.count,
      p50: durations?.quantile(0.5) ?? null,
      p95: durations?.quantile(0.95) ?? null,
      p99: durations?.quantile(0.99) ?? null,
    },
  };
}
