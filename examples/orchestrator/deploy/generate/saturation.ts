import type { PrometheusRule } from './prometheus.js';
import { RUNBOOKS, SCRAPE } from './figures.js';

const of = (name: string): string => `${name}{job="${SCRAPE.job}"}`;

/** What `shedLoad` lets under way at once in each process. */
const IN_FLIGHT = 1_000;

interface Alert {
  name: string;
  expr: string;
  holds?: string;
  severity?: 'warning' | 'critical';
  summary: string;
  /** What to do first. */
  first: string;
  /** The page that says the rest. */
  runbook: string;
}

function alert({
  name,
  expr,
  holds = '5m',
  severity = 'warning',
  summary,
  first,
  runbook,
}: Alert): PrometheusRule {
  const rule = name.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
  return {
    alert: name,
    expr,
    for: holds,
    labels: { severity, rule },
    annotations: { summary, description: first, runbook_url: `${RUNBOOKS}/${runbook}` },
  };
}

/** What runs full before it fails, and what no process can say of itself: that it is gone. */
export const SATURATION_RULES = {
  groups: [
    {
      name: 'signalbox-presence',
      rules: [
        alert({
          name: 'ServiceDown',
          runbook: 'service-down',
          expr: `absent(${of('up')} == 1)`,
          holds: '1m',
          severity: 'critical',
          summary: 'No instance can be scraped',
          first: 'Does it run? The last lines of its log say why it ended; exit code 78 is a wrong setting.',
        }),
        alert({
          name: 'InstanceDown',
          runbook: 'service-down',
          expr: `${of('up')} == 0`,
          holds: '2m',
          summary: '{{ $labels.instance }} cannot be scraped',
          first: 'Does it answer /livez by itself? If it does, look at the token, and at what lies between.',
        }),
        alert({
          name: 'RestartLoop',
          runbook: 'restart-loop',
          expr: `changes(${of('process_start_time_seconds')}[30m]) > 3`,
          holds: '1m',
          summary: '{{ $labels.instance }} was started {{ $value }} times in half an hour',
          first:
            'Read what it said last. Exit code 78 is a wrong setting; 137 is too little memory, or a drain that was cut off.',
        }),
        alert({
          name: 'WorkerLoop',
          runbook: 'restart-loop',
          // The manager of workers goes on, and with it the time at which the instance was started.
          expr: `sum without (state) (increase(signalbox_worker_changes_total{job="${SCRAPE.job}",state="exited"}[30m])) / ${of('signalbox_workers')} > 3`,
          holds: '1m',
          summary:
            '{{ $labels.instance }} replaced each worker {{ $value | humanize }} times in half an hour',
          first:
            'The log of its manager says how each ended. A few reloads in a row, or a low max-age, do it too.',
        }),
      ],
    },
    {
      name: 'signalbox-saturation',
      rules: [
        alert({
          name: 'EventLoopBusy',
          runbook: 'event-loop',
          expr: `${of('nodejs_eventloop_utilization_ratio')} > 0.9`,
          summary: '{{ $labels.instance }} has no time left: {{ $value | humanizePercentage }} are used',
          first: 'Add instances. A CPU profile says what takes the time.',
        }),
        alert({
          name: 'EventLoopLate',
          runbook: 'event-loop',
          expr: `${of('nodejs_eventloop_lag_p99_seconds')} > 0.25`,
          summary: '{{ $labels.instance }} is late by {{ $value | humanizeDuration }}',
          first: 'Something holds it up: look for slow requests in the log that wait for nobody.',
        }),
        alert({
          name: 'EventLoopBlocked',
          runbook: 'event-loop',
          // Which one block leaves in no percentile. Where the app starts it may take most of a second.
          expr: `${of('nodejs_eventloop_lag_max_seconds')} > 2`,
          holds: '0s',
          summary: '{{ $labels.instance }} answered nobody for {{ $value | humanizeDuration }}',
          first:
            'One piece of work held it up: the request before in the log, or a machine that stood still.',
        }),
        alert({
          name: 'MemoryNearLimit',
          runbook: 'memory',
          expr: `${of('process_resident_memory_bytes')} / ${of('signalbox_memory_limit_bytes')} > 0.9`,
          holds: '10m',
          summary: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory',
          first:
            'Compare the heap with all of it: a heap that only grows is a leak, and a heap snapshot shows of what.',
        }),
        alert({
          name: 'FileDescriptorsNearLimit',
          runbook: 'file-descriptors',
          expr: `${of('process_open_fds')} / ${of('process_max_fds')} > 0.8`,
          summary:
            '{{ $labels.instance }} has {{ $value | humanizePercentage }} of its file descriptors open',
          first: 'Count its sockets: visitors that stay, or connections that are not given back.',
        }),
        alert({
          name: 'RequestsPileUp',
          runbook: 'load-shed',
          expr: `${of('http_requests_in_flight')} / ${of('signalbox_workers')} > ${0.8 * IN_FLIGHT}`,
          holds: '1m',
          summary:
            '{{ $labels.instance }} has {{ $value }} requests under way in each process, and turns them away soon',
          first: 'What do they wait for? Look at the upstreams, at Redis and at the database pool.',
        }),
        alert({
          name: 'DatabasePoolFull',
          runbook: 'pool-waiting',
          expr: `(${of('signalbox_database_pool_size')} - ${of('signalbox_database_pool_idle')}) / ${of('signalbox_database_pool_max')} > 0.9`,
          summary: 'Nearly every connection of {{ $labels.pool }} is in use',
          first: 'Look for slow queries and long transactions before the pool is made larger.',
        }),
        alert({
          name: 'SeriesOverflow',
          runbook: 'series-overflow',
          expr: `increase(${of('signalbox_series_overflows_total')}[1h]) > 0`,
          holds: '0s',
          summary: 'A metric ran out of series; what comes later is counted together',
          first:
            'The warning in the log names the metric. A label has values that users choose, or too many routes.',
        }),
      ],
    },
  ],
};
