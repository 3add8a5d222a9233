import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { APP, SECRETS } from '../../examples/orchestrator/deploy/generate/figures.js';
import { LOG_FIELDS } from '../../examples/orchestrator/deploy/generate/logs.js';
import { namesIn, OF_BACKUP } from '../../examples/orchestrator/deploy/generate/registry.js';
import { temporaryFolder } from '../support/keeper.js';
import { runOrchestrator, startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { onFreePort } from '../support/ports.js';
import { startProgram } from '../support/program.js';
import { requireProgram } from '../support/system-packages.js';

const DEPLOY = fileURLToPath(new URL('../../examples/orchestrator/deploy/', import.meta.url));
const TOKEN = 'Vb7kQm2xTz9dLw4pRn8cYs3gHj6fKa5e';

const production = {
  NODE_ENV: 'production',
  SECRET_KEYS: 'q8Zr3vT6xWk0pLr5mN2bVc9sDf4gHj7k',
  METRICS_TOKEN: TOKEN,
  TRUST_PROXY: '127.0.0.1',
  // Nobody is there: it starts all the same, and its metrics are all there.
  DATABASE_URL: 'postgres://app@127.0.0.1:1/app',
  SEARXNG_URLS: 'http://127.0.0.1:1',
  EMBEDDED_FALLBACK: 'off',
};

let app: RunningOrchestrator;
beforeAll(async () => {
  app = await startOrchestrator(production);
});

/** As the proxy in front asks for a visitor. */
const visit = (path: string): Promise<Response> =>
  fetch(`${app.url}${path}`, { headers: { 'x-forwarded-for': '192.0.2.1' } });

describe('what is asked of the orchestrator', () => {
  it.each(Object.values(APP.probes))('answers %s', async (path) => {
    const answer = await fetch(`${app.url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });

    expect(answer.status).toBe(200);
    expect(answer.headers.get('keep-alive')).toBe(`timeout=${APP.keepAliveSeconds}`);
  });

  it('shows every metric that a rule, a panel or the autoscaler names', async () => {
    const metrics = await fetch(`${app.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const shown = new Set([...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const named = expressions().flatMap(namesIn);

    expect(named.length).toBeGreaterThan(150);
    const missing = named.filter(
      (name) => !shown.has(name) && !shown.has(name.replace(/_(bucket|sum|count)$/, '')),
    );
    expect(missing.filter((name) => !name.startsWith(OF_BACKUP))).toEqual([]);
    // What the backup leaves for node_exporter.
    const backup = readFileSync(join(DEPLOY, 'backup/src/state.ts'), 'utf8');
    expect(missing.filter((name) => !backup.includes(`'${name.replace(OF_BACKUP, '')}'`))).toEqual([]);
  });

  it('logs every field that the pipelines read', async () => {
    await visit('/auth/csrf');
    await visit('/api/v1/search?q=x');

    await expect
      .poll(() => {
        const fields = new Set(app.log().flatMap((line) => Object.keys(line)));
        return [...Object.keys(LOG_FIELDS), 'time'].filter((field) => !fields.has(field));
      })
      .toEqual([]);
  });
});

describe('an orchestrator with placeholders for secrets', () => {
  it.each(Object.entries(SECRETS))('does not start with %s=%s', async (name, placeholder) => {
    const program = await runOrchestrator({ PORT: '0', ...production, [name]: placeholder });

    expect((await program.exited).code).toBe(78);
    expect(program.output()).toContain(name);
  });
});

describe('Prometheus with the committed configuration', () => {
  it('scrapes the orchestrator, evaluates every rule and answers every panel', async () => {
    const folder = temporaryFolder('prometheus');
    cpSync(join(DEPLOY, 'monitoring/prometheus'), folder.path, { recursive: true });
    mkdirSync(join(folder.path, 'secrets'));
    writeFileSync(join(folder.path, 'secrets/metrics-token'), TOKEN);
    const file = join(folder.path, 'prometheus.yml');
    writeFileSync(file, stringify(forThisMachine(parse(readFileSync(file, 'utf8')) as PrometheusConfig)));
    const promtool = await requireProgram('promtool');
    const { port, program } = await onFreePort(async (free) => ({
      port: free,
      program: await startProgram(
        join(promtool, '../prometheus'),
        [
          `--config.file=${file}`,
          `--storage.tsdb.path=${join(folder.path, 'data')}`,
          `--web.listen-address=127.0.0.1:${free}`,
        ],
        { name: 'prometheus', ready: /Server is ready to receive web requests/ },
      ),
    }));
    const ask = async (path: string): Promise<unknown> => {
      const answer = (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as {
        data: unknown;
      };
      return answer.data;
    };

    await expect
      .poll(() => ask(`query?query=${encodeURIComponent('count(up{job="orchestrator"}==1)')}`), {
        timeout: 20_000,
      })
      .toMatchObject({ result: [{ value: [expect.any(Number), '1'] }] });
    await expect
      .poll(
        async () => {
          const { groups } = (await ask('rules')) as { groups: Group[] };
          // The month is looked at every five minutes.
          const often = groups.filter(({ interval }) => interval < 60);
          return [...new Set(often.flatMap(({ rules }) => rules.map(({ health }) => health)))];
        },
        { timeout: 20_000 },
      )
      .toEqual(['ok']);
    for (const expression of expressionsIn('monitoring/grafana/dashboards')) {
      const query = expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
      expect(await ask(`query?query=${encodeURIComponent(query)}`), query).toHaveProperty('result');
    }
    await program.kill();
    folder.remove();
  }, 60_000);
});

interface Group {
  interval: number;
  rules: { health: string }[];
}

interface PrometheusConfig {
  global: Record<string, string>;
  rule_files: string[];
  scrape_configs: { job_name: string }[];
}

/** The one instance that is here, and every second. */
function forThisMachine({ rule_files, scrape_configs }: PrometheusConfig): object {
  const job = scrape_configs.find(({ job_name }) => job_name === 'orchestrator');
  return {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files,
    scrape_configs: [
      { ...job, dns_sd_configs: undefined, static_configs: [{ targets: [new URL(app.url).host] }] },
    ],
  };
}

/** Every expression of every committed rule and panel. */
const expressions = (): string[] =>
  ['monitoring/prometheus/rules', 'monitoring/grafana/dashboards', 'kubernetes'].flatMap(expressionsIn);

/** Those of the files in a folder. */
function expressionsIn(folder: string): string[] {
  const found: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (['expr', 'seriesQuery'].includes(key) && typeof inner === 'string') found.push(inner);
      else collect(inner);
    }
  };
  for (const file of readdirSync(join(DEPLOY, folder)).filter((name) => /\.(ya?ml|json)$/.test(name))) {
    collect(parse(readFileSync(join(DEPLOY, folder, file), 'utf8')));
  }
  return found;
}
