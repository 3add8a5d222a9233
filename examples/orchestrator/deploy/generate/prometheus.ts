import { backupAge, certificate, prometheusRules, standardRules, sunset } from '@signalbox/alerts';
import { API_SUNSETS } from '../../src/api-versions.js';
import { APP, BACKUP_MAX_AGE_HOURS, ENVIRONMENT, RUNBOOKS, SCRAPE } from './figures.js';

/** A rule as Prometheus reads it: what it asks, and what it records or says. */
export interface PrometheusRule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
}

/** The rules of the app itself; the same that it can send alerts by without a Prometheus. */
export function appRules(): string {
  const rules = [...standardRules(), sunset({ versions: API_SUNSETS })];
  return prometheusRules(rules, { group: 'signalbox-app', match: { job: SCRAPE.job }, runbooks: RUNBOOKS });
}

/** What others measure: the certificate a blackbox exporter, the backup a file that node_exporter reads. */
export function outsideRules(): string {
  const rules = [
    certificate({ host: new URL(ENVIRONMENT.PUBLIC_URL).hostname }),
    backupAge({ last: () => undefined, maxAgeMs: BACKUP_MAX_AGE_HOURS * 3_600_000 }),
  ];
  return prometheusRules(rules, { group: 'signalbox-outside', runbooks: RUNBOOKS });
}

const seen = (target_label: string, replacement: string): object => ({ target_label, replacement });

const WEEK_SECONDS = 7 * 86_400;

/** What the backup leaves for node_exporter, besides its age. */
export const BACKUP_RULES = {
  groups: [
    {
      name: 'signalbox-backup',
      rules: [
        {
          alert: 'BackupFailed',
          expr: 'signalbox_backup_last_run_success == 0',
          labels: { severity: 'warning', rule: 'backup-failed' },
          annotations: {
            summary: 'The last backup of {{ $labels.kind }} failed',
            runbook_url: `${RUNBOOKS}/backup-failed`,
          },
        },
        {
          alert: 'RestoreDrillFailed',
          expr: 'signalbox_backup_drill_last_run_success == 0',
          labels: { severity: 'critical', rule: 'restore-drill-failed' },
          annotations: {
            summary: 'A backup of {{ $labels.kind }} could not be restored',
            runbook_url: `${RUNBOOKS}/restore-drill`,
          },
        },
        {
          alert: 'RestoreDrillOld',
          expr: `time() - signalbox_backup_drill_last_success_timestamp_seconds > ${2 * WEEK_SECONDS}`,
          labels: { severity: 'warning', rule: 'restore-drill-old' },
          annotations: {
            summary: 'For {{ $value | humanizeDuration }} no backup of {{ $labels.kind }} was proven',
            runbook_url: `${RUNBOOKS}/restore-drill`,
          },
        },
      ],
    },
  ],
};

/** Names are those of the services in compose. */
export const PROMETHEUS = {
  global: { scrape_interval: SCRAPE.interval, evaluation_interval: SCRAPE.interval },
  rule_files: ['rules/*.yml'],
  alerting: {
    alertmanagers: [{ static_configs: [{ targets: ['alertmanager:9093'] }] }],
  },
  scrape_configs: [
    {
      job_name: SCRAPE.job,
      metrics_path: APP.probes.metrics,
      authorization: { credentials_file: 'secrets/metrics-token' },
      // Every instance behind the name, however many there are.
      dns_sd_configs: [{ names: ['app'], type: 'A', port: APP.port, refresh_interval: '15s' }],
    },
    {
      job_name: 'certificate',
      metrics_path: '/probe',
      scrape_interval: '5m',
      params: { module: ['http_2xx'] },
      static_configs: [{ targets: [ENVIRONMENT.PUBLIC_URL + APP.probes.live] }],
      relabel_configs: [
        { source_labels: ['__address__'], target_label: '__param_target' },
        { source_labels: ['__param_target'], target_label: 'instance' },
        seen('__address__', 'blackbox-exporter:9115'),
      ],
    },
    { job_name: 'machine', static_configs: [{ targets: ['node-exporter:9100'] }] },
    { job_name: 'prometheus', static_configs: [{ targets: ['127.0.0.1:9090'] }] },
  ],
};

/** Pages for what is critical, one message for the rest. */
export const ALERTMANAGER = {
  route: {
    receiver: 'team',
    group_by: ['rule'],
    group_wait: '30s',
    group_interval: '5m',
    repeat_interval: '4h',
    // A route that is taken takes from the receiver above: the team is told of what pages by a second one.
    routes: [{ receiver: 'pager', matchers: ['severity="critical"'], continue: true }, { receiver: 'team' }],
  },
  inhibit_rules: [
    {
      // Whoever knows that all is down need not be told of each part.
      source_matchers: ['alertname="ServiceDown"'],
      target_matchers: ['alertname!="ServiceDown"', 'severity=~"warning|critical"'],
    },
    {
      // The budget that is used up fast is used up slowly, too.
      source_matchers: ['rule=~"error-budget|latency-budget"', 'severity="critical"'],
      target_matchers: ['severity="warning"'],
      equal: ['rule'],
    },
  ],
  receivers: [
    { name: 'team', slack_configs: [{ api_url_file: '/run/secrets/slack-url', send_resolved: true }] },
    { name: 'pager', pagerduty_configs: [{ routing_key_file: '/run/secrets/pagerduty-key' }] },
  ],
};

/** For the Helm chart of prometheus-adapter: the figure that the autoscaler goes by. */
export const ADAPTER_VALUES = {
  rules: {
    default: false,
    custom: [
      {
        seriesQuery: `http_requests_total{job="${SCRAPE.job}",namespace!="",pod!=""}`,
        resources: { overrides: { namespace: { resource: 'namespace' }, pod: { resource: 'pod' } } },
        name: { as: 'http_requests_per_second' },
        metricsQuery: 'sum by (<<.GroupBy>>) (rate(<<.Series>>{<<.LabelMatchers>>}[2m]))',
      },
    ],
  },
};
