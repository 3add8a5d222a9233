import { dashboard, type PanelOptions, type Query, type Row, type Unit } from './dashboard.js';
import { BACKUP_MAX_AGE_HOURS, SCRAPE, SLO } from './figures.js';
import { requireKnown, type KnownMetric } from './registry.js';
import { recorded, VISITORS } from './slo.js';

/** The app's series of the chosen instances. */
const of = (name: string, ...matchers: string[]): string =>
  `${name}{${[`job="${SCRAPE.job}"`, 'instance=~"$instance"', ...matchers].join(',')}}`;
const rate = (name: string, ...matchers: string[]): string =>
  `rate(${of(name, ...matchers)}[$__rate_interval])`;
const sum = (by: string, inner: string): string => `sum by (${by}) (${inner})`;
const quantile = (q: number, name: string, by = ''): string =>
  `histogram_quantile(${q}, ${sum(by === '' ? 'le' : `le, ${by}`, rate(`${name}_bucket`))})`;

const line = (expr: string, legend: string): Query => ({ expr, legend });
const stat = (panel: Omit<PanelOptions, 'type'>): PanelOptions => ({ ...panel, type: 'stat' });

const AT_A_GLANCE: Row = {
  title: 'Is all well?',
  panels: [
    stat({
      title: 'Instances',
      unit: 'short',
      queries: [line(`count(up{job="${SCRAPE.job}"} == 1)`, '')],
      thresholds: [2, 1],
      isFloor: true,
    }),
    stat({
      title: 'Availability, 1 hour',
      unit: 'percentunit',
      queries: [line(`1 - ${recorded('errors', '1h')}`, '')],
      thresholds: [SLO.availability, 1 - 10 * (1 - SLO.availability)],
      isFloor: true,
    }),
    stat({
      title: `Error budget left, ${SLO.days} days`,
      unit: 'percentunit',
      queries: [line(`1 - ${recorded('errors', '30d')} / ${(1 - SLO.availability).toFixed(4)}`, '')],
      thresholds: [0.25, 0],
      isFloor: true,
    }),
    stat({
      title: 'p99',
      unit: 's',
      queries: [line(quantile(0.99, 'http_request_duration_seconds'), '')],
      thresholds: [SLO.fastSeconds / 2, SLO.fastSeconds],
    }),
    stat({
      title: 'Degraded features',
      unit: 'short',
      queries: [line(`count(${of('signalbox_feature_degraded')} > 0) or vector(0)`, '')],
      thresholds: [1, 3],
    }),
    stat({
      title: 'Alerts that fire',
      unit: 'short',
      queries: [line('count(ALERTS{alertstate="firing"}) or vector(0)', '')],
      thresholds: [1, 3],
    }),
  ],
};

const TRAFFIC: Row = {
  title: 'Traffic',
  panels: [
    {
      title: 'Requests by status',
      unit: 'reqps',
      queries: [line(sum('status', rate('http_requests_total')), '{{status}}')],
    },
    {
      title: 'Duration',
      unit: 's',
      queries: [0.5, 0.95, 0.99].map((q) =>
        line(quantile(q, 'http_request_duration_seconds'), `p${q * 100}`),
      ),
    },
    {
      title: 'p95 by route',
      unit: 's',
      queries: [line(`topk(10, ${quantile(0.95, 'http_request_duration_seconds', 'route')})`, '{{route}}')],
    },
    {
      title: 'Requests by route',
      unit: 'reqps',
      queries: [line(`topk(10, ${sum('route', rate('http_requests_total', VISITORS))})`, '{{route}}')],
    },
    {
      title: 'Errors by route',
      unit: 'reqps',
      queries: [line(sum('route', rate('http_requests_total', 'status=~"5.."')), '{{route}}')],
    },
    {
      title: 'Turned away under load',
      unit: 'reqps',
      queries: [line(sum('priority', rate('signalbox_requests_shed_total')), '{{priority}}')],
    },
  ],
};

const DEPENDENCIES: Row = {
  title: 'What it stands on',
  panels: [
    {
      title: 'Cache',
      unit: 'ops',
      queries: [line(sum('outcome', rate('signalbox_cache_lookups_total')), '{{outcome}}')],
    },
    {
      title: 'Upstreams',
      unit: 'ops',
      queries: [
        line(sum('upstream, outcome', rate('signalbox_upstream_requests_total')), '{{upstream}} {{outcome}}'),
        line(sum('from, to', rate('signalbox_upstream_fallbacks_total')), '{{from}} → {{to}}'),
      ],
    },
    {
      title: 'Breakers that are not closed',
      unit: 'short',
      queries: [
        line(
          sum('upstream, state', of('signalbox_breaker_state', 'state!="closed"')),
          '{{upstream}} {{state}}',
        ),
      ],
    },
    {
      title: 'Redis: duration of commands',
      unit: 's',
      queries: [0.5, 0.99].map((q) =>
        line(quantile(q, 'signalbox_redis_command_duration_seconds'), `p${q * 100}`),
      ),
    },
    {
      title: 'Redis: instances whose link is up',
      unit: 'short',
      queries: [line(sum('link', of('signalbox_redis_up')), '{{link}}')],
    },
    {
      title: 'Database pool',
      unit: 'short',
      queries: ['size', 'idle', 'waiting', 'max'].map((part) =>
        line(sum('pool', of(`signalbox_database_pool_${part}`)), part),
      ),
    },
    {
      title: 'Database: duration of queries',
      unit: 's',
      queries: [0.5, 0.99].map((q) =>
        line(quantile(q, 'signalbox_database_query_duration_seconds'), `p${q * 100}`),
      ),
    },
  ],
};

const PEOPLE: Row = {
  title: 'Who comes',
  panels: [
    {
      title: 'Limits',
      unit: 'ops',
      queries: [
        line(sum('zone, outcome', rate('signalbox_rate_limit_decisions_total')), '{{zone}} {{outcome}}'),
      ],
    },
    {
      title: 'Sessions and tokens',
      unit: 'ops',
      queries: [
        line(sum('event', rate('signalbox_session_events_total')), 'session {{event}}'),
        line(sum('event', rate('signalbox_token_events_total')), 'token {{event}}'),
      ],
    },
    {
      title: 'Sockets',
      unit: 'short',
      queries: [line(sum('namespace', of('signalbox_sockets_connected')), '{{namespace}}')],
    },
  ],
};

const PROCESS: Row = {
  title: 'Processes',
  panels: [
    {
      title: 'CPU',
      unit: 'percentunit',
      queries: [line(sum('instance', rate('process_cpu_seconds_total')), '{{instance}}')],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [
        line(sum('instance', of('process_resident_memory_bytes')), '{{instance}}'),
        line(sum('instance', of('nodejs_heap_size_used_bytes')), 'heap of {{instance}}'),
      ],
    },
    {
      title: 'Event loop',
      unit: 's',
      queries: [
        line(`max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})`, 'p99 delay of {{instance}}'),
      ],
    },
  ],
};

const BACKUPS: Row = {
  title: 'Backups',
  panels: [
    stat({
      title: 'Age',
      unit: 's',
      queries: [line('time() - signalbox_backup_taken_timestamp_seconds', '{{kind}}')],
      thresholds: [25 * 3_600, BACKUP_MAX_AGE_HOURS * 3_600],
    }),
    stat({
      title: 'Could have been lost (RPO)',
      unit: 's',
      queries: [line('signalbox_backup_rpo_seconds', '{{kind}}')],
    }),
    stat({
      title: 'Takes to restore (RTO)',
      unit: 's',
      queries: [line('signalbox_backup_rto_seconds', '{{kind}}')],
    }),
    stat({
      title: 'Proven before',
      unit: 's',
      queries: [line('time() - signalbox_backup_drill_last_success_timestamp_seconds', '{{kind}}')],
    }),
    stat({ title: 'Size', unit: 'bytes', queries: [line('signalbox_backup_size_bytes', '{{kind}}')] }),
    stat({ title: 'Stored', unit: 'short', queries: [line('signalbox_backup_stored', '{{kind}}')] }),
  ],
};

/** Three dashboards. The third has a panel for each metric, so that one that is new is seen at once. */
export function dashboardFiles(known: readonly KnownMetric[]): Readonly<Record<string, object>> {
  const overview = [AT_A_GLANCE, TRAFFIC];
  const depth = [DEPENDENCIES, PEOPLE, PROCESS, BACKUPS];
  const asked = [...overview, ...depth].flatMap(({ panels }) => panels.flatMap(({ queries }) => queries));
  requireKnown(
    asked.map(({ expr }) => expr),
    known,
  );
  return {
    'overview.json': dashboard('signalbox-overview', 'Signalbox: overview', overview),
    'depth.json': dashboard('signalbox-depth', 'Signalbox: in depth', depth),
    'metrics.json': dashboard('signalbox-metrics', 'Signalbox: every metric', everyMetric(known)),
  };
}

function everyMetric(known: readonly KnownMetric[]): Row[] {
  const groups = new Map<string, KnownMetric[]>();
  for (const metric of known) {
    const group = /^signalbox_[a-z]+|^[a-z]+/.exec(metric.name)?.[0] ?? metric.name;
    groups.set(group, [...(groups.get(group) ?? []), metric]);
  }
  return [...groups].map(([title, metrics]) => ({ title, panels: metrics.map(panelFor), collapsed: true }));
}

function panelFor({ name, type, help }: KnownMetric): PanelOptions {
  const about = { title: name, description: help };
  if (type === 'histogram') {
    const queries = [0.5, 0.99].map((q) => line(quantile(q, name), `p${q * 100}`));
    return { ...about, unit: unitOf(name), queries };
  }
  if (type === 'counter') {
    return { ...about, unit: 'ops', queries: [line(sum('instance', rate(name)), '{{instance}}')] };
  }
  return { ...about, unit: unitOf(name), queries: [line(sum('instance', of(name)), '{{instance}}')] };
}

function unitOf(name: string): Unit {
  if (name.includes('start_time_seconds')) return 'dateTimeAsIso';
  if (name.endsWith('_seconds')) return 's';
  if (name.endsWith('_bytes')) return 'bytes';
  return name.endsWith('_ratio') ? 'percentunit' : 'short';
}
