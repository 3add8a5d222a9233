import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { listen } from '@signalbox/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { eventually } from '../support/eventually.js';
import { temporaryFolder } from '../support/keeper.js';
import { onFreePort } from '../support/ports.js';
import { startProgram, type Program } from '../support/program.js';
import { requireProgram } from '../support/system-packages.js';

const FILE = fileURLToPath(
  new URL('../../examples/orchestrator/deploy/monitoring/prometheus/alertmanager.yml', import.meta.url),
);

interface Alertmanager {
  readonly program: Program;
  /** Tells it of an alert, as Prometheus does. */
  readonly alert: (labels: Readonly<Record<string, string>>) => Promise<void>;
}

let receiver: string;
/** Path and body of what was posted. */
const posted: { path: string; body: string }[] = [];

/** The committed configuration with nothing changed but who is told, and how soon. */
async function startAlertmanager(slackUrl: string, pagerdutyKey: string): Promise<Alertmanager> {
  const folder = temporaryFolder('alertmanager');
  writeFileSync(join(folder.path, 'slack-url'), slackUrl);
  writeFileSync(join(folder.path, 'pagerduty-key'), pagerdutyKey);
  const config = parse(readFileSync(FILE, 'utf8').replaceAll('/run/secrets', folder.path)) as {
    route: Record<string, unknown>;
    receivers: { pagerduty_configs?: Record<string, unknown>[] }[];
  };
  config.route['group_wait'] = '0s';
  for (const each of config.receivers.flatMap(({ pagerduty_configs = [] }) => pagerduty_configs))
    each['url'] = `${receiver}/pagerduty`;
  const file = join(folder.path, 'alertmanager.yml');
  writeFileSync(file, stringify(config));
  const amtool = await requireProgram('amtool');
  const { port, program } = await onFreePort(async (free) => ({
    port: free,
    program: await startProgram(
      join(amtool, '../prometheus-alertmanager'),
      [
        `--config.file=${file}`,
        `--storage.path=${join(folder.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${free}`,
        '--cluster.listen-address=',
      ],
      { name: 'alertmanager', ready: /Listening on|address=127/ },
    ),
  }));
  return {
    program,
    alert: async (labels) => {
      const body = JSON.stringify([{ labels }]);
      const headers = { 'content-type': 'application/json' };
      const told = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`, { method: 'POST', headers, body });
      expect(told.status).toBe(200);
    },
  };
}

beforeAll(async () => {
  receiver = await listen(
    createServer(async (req, res) => {
      posted.push({ path: req.url ?? '', body: await text(req) });
      res.writeHead(req.url === '/pagerduty' ? 202 : 200).end('ok');
    }),
  );
});

describe('Alertmanager with the committed configuration', { timeout: 60_000 }, () => {
  it('writes to the team, and pages for what is critical, but not for what follows from a service that is down', async () => {
    const { program, alert } = await startAlertmanager(`${receiver}/slack`, 'a-routing-key');
    await alert({ alertname: 'ErrorRate', rule: 'error-rate', severity: 'warning' });
    await eventually(() => posted.some(({ path }) => path === '/slack'));
    expect(posted.map(({ path }) => path)).not.toContain('/pagerduty');

    await alert({ alertname: 'ServiceDown', rule: 'service-down', severity: 'critical' });
    await eventually(() => posted.some(({ path }) => path === '/pagerduty'));
    expect(posted.find(({ path }) => path === '/pagerduty')?.body).toContain('"routing_key":"a-routing-key"');
    await eventually(() => posted.filter(({ path }) => path === '/slack').length === 2);

    await alert({ alertname: 'Latency', rule: 'latency', severity: 'warning' });
    await alert({ alertname: 'ServiceDown', rule: 'other-service', severity: 'critical' });
    await eventually(() => posted.filter(({ path }) => path === '/slack').length === 3);
    expect(posted.map(({ body }) => body).join()).not.toContain('Latency');
    await program.stop();
  });

  it('starts while nobody has given it an address yet, and says so when there is something to tell', async () => {
    const { program, alert } = await startAlertmanager('', '');
    await alert({ alertname: 'ErrorRate', rule: 'error-rate', severity: 'warning' });
    await eventually(() => /slack/.test(program.output()), 20_000);
    expect(program.output()).toMatch(/level=(?:warn|error).*slack/);
    await program.stop();
  });
});
