import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parser } from '@grafana/lezer-logql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LOKI_NAMES } from '../../examples/orchestrator/deploy/generate/logs.js';
import { temporaryFolder } from '../support/keeper.js';
import { requireProgram } from '../support/system-packages.js';

const FOLDER = fileURLToPath(
  new URL('../../examples/orchestrator/deploy/monitoring/prometheus/', import.meta.url),
);

const RUNBOOKS = fileURLToPath(new URL('../../docs/guide/runbooks/', import.meta.url));

/** What promtool prints; rejects with it where promtool finds fault. */
async function promtool(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(await requireProgram('promtool'), args);
  return stdout;
}

describe('Loki', () => {
  const pages = [join(FOLDER, '../README.md'), join(RUNBOOKS, '../monitoring.md')];
  const queries = pages.flatMap((page) => readFileSync(page, 'utf8').match(/(?<=^|`)\{job=[^`\n]+/gm) ?? []);

  it('is asked in LogQL, for what Alloy gives it', () => {
    expect(queries.length).toBeGreaterThan(2);
    for (const query of queries) {
      const names: string[] = [];
      parser.parse(query).iterate({
        enter: ({ type, from, to }) => {
          expect([query, type.isError]).toEqual([query, false]);
          if (type.name === 'Identifier') names.push(query.slice(from, to));
        },
      });
      expect([query, names.filter((name) => !LOKI_NAMES.includes(name))]).toEqual([query, []]);
    }
  });
});

describe('the pipelines of the log', () => {
  const fileOf = (path: string): string => readFileSync(join(FOLDER, '..', path), 'utf8');
  const compose = parse(readFileSync(join(FOLDER, '../../compose/compose.yaml'), 'utf8')) as {
    services: Record<string, { image: string }>;
  };
  /** `host:port` of everything that a pipeline sends to, or waits at. */
  const named = (text: string): string[] => text.match(/(?<=[/"'\s])[a-z]+:\d{4}\b/g) ?? [];

  it('lead to each other, and read the service that compose.yaml has', () => {
    const { server } = parse(fileOf('loki/loki.yml')) as { server: { http_listen_port: number } };
    const port = /port => (\d+)/.exec(fileOf('elk/logstash.conf'))?.[1];
    expect(named(fileOf('loki/config.alloy'))).toEqual([`loki:${server.http_listen_port}`]);
    expect(named(fileOf('elk/filebeat.yml'))).toEqual([`logstash:${port}`]);
    expect(named(fileOf('elk/logstash.conf'))).toEqual(['elasticsearch:9200']);
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(['app', 'loki', 'logstash', 'elasticsearch']),
    );
    expect(fileOf('loki/config.alloy')).toContain('"com.docker.compose.service=app"');
    expect(fileOf('elk/filebeat.yml')).toMatch(
      /docker\.container\.labels\.com_docker_compose_service: app$/m,
    );
  });

  it('name a field as the index has it, and the index has no other', () => {
    const logstash = fileOf('elk/logstash.conf');
    const renamed = Array.from(
      logstash.matchAll(/"\[line\](?:\[\w+\])?" => "([[\]\w]+)"/g),
      ([, name = '']) => name.slice(1, -1).replaceAll('][', '.'),
    );
    const { template } = JSON.parse(fileOf('elk/index-template.json')) as {
      template: { mappings: { properties: Record<string, { type: string }> } };
    };
    const added = ['@timestamp', 'service.name'];
    expect(renamed.length).toBeGreaterThan(10);
    expect(Object.keys(template.mappings.properties).toSorted()).toEqual([...renamed, ...added].toSorted());
  });
});

describe('Prometheus', () => {
  it('takes its configuration, and every file of rules', async () => {
    const folder = temporaryFolder('prometheus');
    cpSync(FOLDER, folder.path, { recursive: true });
    mkdirSync(join(folder.path, 'secrets'));
    writeFileSync(join(folder.path, 'secrets/metrics-token'), 'a token');

    const found = await promtool('check', 'config', join(folder.path, 'prometheus.yml'));

    expect(found).toContain(`${readdirSync(join(FOLDER, 'rules')).length} rule files found`);
    folder.remove();
  });

  it('leads from each alert to a page that says what to do', () => {
    for (const file of readdirSync(join(FOLDER, 'rules'))) {
      const { groups } = parse(readFileSync(join(FOLDER, 'rules', file), 'utf8')) as {
        groups: { rules: { alert?: string; annotations?: Record<string, string> }[] }[];
      };
      for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
        if (alert === undefined) continue;
        const [, page = ''] =
          /\/docs\/guide\/runbooks\/([a-z-]+)$/.exec(annotations?.['runbook_url'] ?? '') ?? [];
        expect([alert, existsSync(join(RUNBOOKS, `${page}.md`))]).toEqual([alert, true]);
      }
    }
  });

  it.each(readdirSync(join(FOLDER, 'tests')))(
    'is told by the rules of %s what it should be',
    async (file) => {
      expect(await promtool('test', 'rules', join(FOLDER, 'tests', file))).toContain('SUCCESS');
    },
  );
});
