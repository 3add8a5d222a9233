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
