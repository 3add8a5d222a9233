import { refuseUnknownOptions, requireText, wrongOption } from '@signalbox/options';
import { promDuration, type Metric } from './expression.js';
import type { AlertRule, PrometheusAlert } from './rule.js';

export interface PrometheusRulesOptions {
  /**
   * The name of the group.
   * @default 'signalbox'
   */
  group?: string | undefined;
  /** Labels that all metrics must have, such as `{ job: 'search' }`. */
  match?: Readonly<Record<string, string>> | undefined;
  /** Where the pages of runbooks are; the name of a rule is put behind it. */
  runbooks?: string | undefined;
}

/**
 * The same rules for Prometheus, as YAML for its `rule_files`. Needs Prometheus 2.42 or later, for `keep_firing_for`.
 *
 * @throws {TypeError} when an option is wrong, or no rule can be said in PromQL
 *
 * @example
 * await writeFile('rules.yml', prometheusRules(standardRules(), { match: { job: 'search' } }));
 */
export function prometheusRules(rules: readonly AlertRule[], options: PrometheusRulesOptions = {}): string {
  refuseUnknownOptions('prometheusRules', options, ['group', 'match', 'runbooks']);
  const { group = 'signalbox', match = {}, runbooks } = options;
  requireText('prometheusRules', 'group', group);
  const of = metricOf(match);
  const known = rules.filter(({ prometheus }) => prometheus.length > 0);
  if (known.length === 0) throw wrongOption('prometheusRules', 'rules', 'rules that PromQL can say', rules);
  const alerts = known.flatMap((rule) => rule.prometheus.map((alert) => linesOf(rule, alert, of, runbooks)));
  return ['groups:', `  - name: ${quoted(group)}`, '    rules:', ...alerts.flat(), ''].join('\n');
}

function linesOf(
  { name, severity, forMs, quietMs }: AlertRule,
  alert: PrometheusAlert,
  of: Metric,
  runbooks: string | undefined,
): string[] {
  const lines = [
    `      - alert: ${quoted(pascal(name))}`,
    `        expr: ${quoted(alert.expression(of))}`,
    ...(forMs > 0 ? [`        for: ${promDuration(forMs)}`] : []),
    ...(quietMs > 0 ? [`        keep_firing_for: ${promDuration(quietMs)}`] : []),
    '        labels:',
    `          severity: ${alert.severity ?? severity}`,
    `          rule: ${quoted(name)}`,
    ...Object.entries(alert.labels ?? {}).map(([label, value]) => `          ${label}: ${quoted(value)}`),
    '        annotations:',
    `          summary: ${quoted(alert.summary)}`,
  ];
  if (runbooks !== undefined) {
    const base = /[/#]$/.test(runbooks) ? runbooks : `${runbooks}/`;
    lines.push(`          runbook_url: ${quoted(base + name)}`);
  }
  return lines;
}

/** `error-rate` is `ErrorRate`. */
function pascal(name: string): string {
  return name.replaceAll(/(?:^|-)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

function metricOf(match: Readonly<Record<string, string>>): Metric {
  const common = Object.entries(match).map(([label, value]) => {
    if (!/^[a-zA-Z_]\w*$/.test(label))
      throw wrongOption('prometheusRules', 'match', 'made of label names', label);
    requireText('prometheusRules', `match.${label}`, value);
    return `${label}=${JSON.stringify(value)}`;
  });
  return (name, ...matchers) => {
    const all = [...matchers, ...common];
    return all.length === 0 ? name : `${name}{${all.join(',')}}`;
  };
}

/** Text as YAML has it in double quotes (YAML 1.2 section 7.3.1), of which JSON's is a part. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
