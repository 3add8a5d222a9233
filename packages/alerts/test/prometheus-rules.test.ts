import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requireProgram } from '../../../test/support/system-packages.js';
import {
  backupAge,
  certificate,
  prometheusRules,
  rule,
  standardRules,
  sunset,
  type AlertRule,
} from '../src/index.js';

const ALL: readonly AlertRule[] = [
  ...standardRules(),
  certificate({ host: 'search.example' }),
  backupAge({ file: '/var/backups/last-success' }),
  sunset({ versions: { v1: '1970-01-01', 'v"2': '2099-01-01' } }),
];

interface AlertTest {
  /** Series and their values, one a minute, as promtool writes them. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes, and the names of the alerts that fire then, of those named in `alerts`. */
  readonly at: Readonly<Record<string, readonly string[]>>;
}

/** Writes the rules and a test of them, and has promtool judge. */
async function promtool(rules: string, tests: readonly AlertTest[] = []): Promise<string> {
  const folder = temporaryFolder('alerts');
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'rules.yml');
  await writeFile(file, rules);
  if (tests.length === 0) return await run(['check', 'rules', '--lint=all', '--lint-fatal', file]);

  const names = [...rules.matchAll(/alert: "(\w+)"/g)].map(([, name]) => name ?? '');
  const testFile = join(folder.path, 'test.yml');
  // JSON is YAML. An alert that is listed with no labels is one that is not to fire.
  await writeFile(
    testFile,
    JSON.stringify({
      rule_files: [file],
      evaluation_interval: '1m',
      tests: tests.map(({ series, at }) => ({
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: Object.entries(at).flatMap(([minute, firing]) =>
          [...new Set(names)].map((name) => ({
            expr: `sum(ALERTS{alertname="${name}",alertstate="firing"}) or vector(0)`,
            eval_time: `${minute}m`,
            exp_samples: [{ labels: '{}', value: firing.filter((each) => each === name).length }],
          })),
        ),
      })),
    }),
  );
  return await run(['test', 'rules', testFile]);
}

async function run(args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(await requireProgram('promtool'), [...args], {
    timeout: 30_000,
  });
  return stdout + stderr;
}

/** Quiet: what else would fire since it is absent or zero. */
const FINE = { signalbox_backup_last_success_timestamp_seconds: '0x200' };

describe('prometheusRules', () => {
  it('writes rules that promtool takes, of every ready-made rule', async () => {
    const yaml = prometheusRules(ALL, {
      runbooks: 'https://docs.example/runbooks',
      match: { job: 'search' },
    });
    // Certificate and disk are a warning and an alarm each, sunset is one for each version.
    expect(await promtool(yaml)).toContain(`SUCCESS: ${ALL.length + 3} rules found`);
    expect(yaml).toContain('runbook_url: "https://docs.example/runbooks/error-rate"');
    expect(yaml).toContain('signalbox_redis_up{job=\\"search\\"}');
  });

  it('fires for what the rules are about, and only then', async () => {
    const yaml = prometheusRules(ALL);
    const output = await promtool(yaml, [
      {
        series: {
          ...FINE,
          'signalbox_redis_up{link="main"}': '1 1 1 0x30',
          'signalbox_feature_degraded{feature="cache"}': '0 0 0 1x30',
        },
        at: { 2: [], 6: ['RedisDown', 'FeatureDegraded'] },
      },
      {
        series: {
          ...FINE,
          'http_requests_total{status="200"}': '0+100x40',
          'http_requests_total{status="500"}': '0x10 0+20x30',
          'http_requests_total{status="404"}': '0+100x40',
        },
        at: { 10: [], 20: ['ErrorRate'] },
      },
      {
        series: {
          ...FINE,
          'http_requests_total{status="200",route="/"}': '0+100x40',
          'http_requests_total{status="503",route="/readyz"}': '0+100x40',
          'http_requests_total{status="503",route="/metrics.json"}': '0+100x40',
        },
        at: { 20: [] },
      },
      {
        series: {
          ...FINE,
          'http_request_duration_seconds_bucket{le="0.5"}': '0+90x40',
          'http_request_duration_seconds_bucket{le="2.5"}': '0+100x40',
          'http_request_duration_seconds_bucket{le="+Inf"}': '0+100x40',
          http_request_duration_seconds_count: '0+100x40',
        },
        at: { 20: ['Latency'] },
      },
      {
        series: {
          ...FINE,
          'signalbox_breaker_state{upstream="a",route="b",state="open"}': '0 0 0 1x30',
          'signalbox_database_pool_waiting{pool="main"}': '0 0 0 4x30',
          'signalbox_health_check_status{check="db",status="unhealthy"}': '0 0 0 2x30',
          'signalbox_module_ready{module="search"}': '1 1 1 0x30',
          signalbox_disk_available_bytes: '50 50 50 10x30',
          signalbox_disk_size_bytes: '100x40',
        },
        at: { 2: [], 6: ['BreakerOpen', 'PoolWaiting', 'HealthCheck', 'ModuleFailed', 'Disk'] },
      },
      {
        // Counters that begin with 1, as they do when it happens for the first time.
        series: {
          ...FINE,
          'signalbox_token_events_total{event="reused",kind="refresh"}': '_ _ _ 1x60',
          'signalbox_worker_changes_total{state="stuck"}': '_ _ _ 1x60',
        },
        at: { 2: [], 4: ['TokenTheft', 'Worker'], 40: [] },
      },
      {
        series: {
          ...FINE,
          'signalbox_requests_shed_total{reason="in_flight"}': '0 0 0 0+30x30',
          'signalbox_deprecated_calls_total{version="v1"}': '0+1x40',
        },
        at: { 20: ['Sunset', 'LoadShed'] },
      },
      { series: {}, at: { 5: ['BackupAge'] } },
      {
        series: { ...FINE, probe_ssl_earliest_cert_expiry: `${10 * 86_400}x40` },
        at: { 5: ['Certificate'] },
      },
    ]);
    expect(output).toContain('SUCCESS');
  });

  it('keeps text with quotes and line ends what it is', async () => {
    const odd = rule({
      name: 'odd',
      watch: () => undefined,
      prometheus: [
        { expression: (of) => `${of('up', 'job="a\\"b"')} == 0`, summary: 'a: "b"\n- c # d {{ $value }}' },
      ],
    });
    expect(await promtool(prometheusRules([odd], { group: 'a: b' }))).toContain('SUCCESS: 1 rules found');
  });

  it.each([
    [() => prometheusRules([]), 'prometheusRules: "rules" must be rules that PromQL can say'],
    [() => prometheusRules(ALL, { group: '' }), 'prometheusRules: "group" must be a non-empty string'],
    [
      () => prometheusRules(ALL, { match: { 'a-b': 'c' } }),
      'prometheusRules: "match" must be made of label names',
    ],
    [() => Reflect.apply(prometheusRules, undefined, [ALL, { groups: 'a' }]), 'did you mean "group"?'],
  ])('refuses what is wrong: %s', (make, message) => {
    expect(make).toThrow(message);
  });
});
