import { parse } from 'yaml';
import { dashboardFiles } from './dashboards.js';
import type { Files } from './content.js';
import { APP, NOTICE } from './figures.js';
import { logFiles } from './logs.js';
import {
  ADAPTER_VALUES,
  ALERTMANAGER,
  appRules,
  BACKUP_RULES,
  outsideRules,
  PROMETHEUS,
} from './prometheus.js';
import { knownMetrics, requireKnown } from './registry.js';
import { SATURATION_RULES } from './saturation.js';
import { SLO_RULES } from './slo.js';
import { LABELS } from './workload.js';

const commented = (text: string): string => `# ${NOTICE}\n${text}`;

export async function monitoringFiles(): Promise<Files> {
  const known = await knownMetrics();
  const dashboards = Object.entries(dashboardFiles(known));
  requireKnown(
    GROUPS.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    known,
  );
  return {
    'monitoring/prometheus/prometheus.yml': PROMETHEUS,
    'monitoring/prometheus/alertmanager.yml': ALERTMANAGER,
    'monitoring/prometheus/rules/app.yml': commented(appRules()),
    'monitoring/prometheus/rules/backup.yml': BACKUP_RULES,
    'monitoring/prometheus/rules/outside.yml': commented(outsideRules()),
    'monitoring/prometheus/rules/saturation.yml': SATURATION_RULES,
    'monitoring/prometheus/rules/slo.yml': SLO_RULES,
    ...Object.fromEntries(
      dashboards.map(([name, content]) => [`monitoring/grafana/dashboards/${name}`, content]),
    ),
    'monitoring/grafana/provisioning/datasources/signalbox.yml': DATASOURCES,
    'monitoring/grafana/provisioning/dashboards/signalbox.yml': PROVIDERS,
    ...logFiles(),
    'kubernetes/components/monitoring/rules.yaml': OPERATOR_RULES,
    'kubernetes/prometheus-adapter-values.yaml': ADAPTER_VALUES,
  };
}

interface Group {
  rules: readonly { expr: string }[];
}

const GROUPS = [parse(appRules()), parse(outsideRules()), BACKUP_RULES, SATURATION_RULES, SLO_RULES].flatMap(
  (file: { groups: Group[] }) => file.groups,
);

/** The same rules for the Prometheus operator. */
const OPERATOR_RULES = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: APP.name, labels: LABELS },
  spec: { groups: GROUPS },
};

const DATASOURCES = {
  apiVersion: 1,
  datasources: [
    {
      name: 'Prometheus',
      uid: 'prometheus',
      type: 'prometheus',
      access: 'proxy',
      url: 'http://prometheus:9090',
      isDefault: true,
    },
    { name: 'Loki', uid: 'loki', type: 'loki', access: 'proxy', url: 'http://loki:3100' },
  ],
};

const PROVIDERS = {
  apiVersion: 1,
  providers: [
    { name: 'signalbox', folder: 'Signalbox', type: 'file', options: { path: '/etc/grafana/dashboards' } },
  ],
};
