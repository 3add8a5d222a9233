import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { accountOf, ADMIN_SETTINGS, type SignedIn } from '../support/identity.js';
import { steadyLoad } from '../support/load.js';
import { balancer, startNginx, type NginxServer } from '../support/nginx.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRedis, type RedisServer } from '../support/redis.js';

let redis: RedisServer;
let postgres: PostgresServer;
let nodes: RunningOrchestrator[];
let nginx: NginxServer;
let ada: SignedIn;
let settings: Record<string, string>;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  settings = {
    ...ADMIN_SETTINGS,
    SECRET_KEYS: 'one secret for all processes of this test',
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    TRUST_PROXY: 'loopback',
    WORKERS: '2',
  };
  nodes = [];
  // One after the other: two processors start six workers.
  for (let count = 0; count < 3; count += 1) nodes.push(await startNode('0'));
  const urls = nodes.map(({ url }) => url);
  nginx = await startNginx(({ port }) => balancer(urls, port, { isSticky: false }));
  ada = await accountOf(nginx.url);
}, 120_000);
afterAll(async () => {
  await nginx.stop();
  await Promise.all(nodes.map(({ program }) => program.stop()));
  await Promise.all([postgres.stop(), redis.stop()]);
});

/** A process manager and two workers. */
async function startNode(port: string): Promise<RunningOrchestrator> {
  const node = await startOrchestrator({ ...settings, PORT: port });
  await eventually(async () => (await fetch(`${node.url}/readyz`)).status === 200, 30_000);
  return node;
}

/** As when a machine loses its power: the manager and all that it started. */
function killNode({ program }: RunningOrchestrator): void {
  const { pid } = program;
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  expect(workers).toHaveLength(2);
  for (const each of [pid, ...workers]) process.kill(each, 'SIGKILL');
}

describe('three nodes behind nginx, with one Redis and one Postgres', { timeout: 240_000 }, () => {
  it('survive the loss of any one, and fail at most what it had under way', async () => {
    for (const [index, node] of nodes.entries()) {
      const load = await steadyLoad(`${nginx.url}/api/v2/me`, {
        ratePerSecond: 60,
        headers: ada.bearer,
        durationMs: 600_000,
      });
      await eventually(() => load.results.length > 100);
      const killedMs = load.nowMs();
      const { inFlight } = load;
      killNode(node);
      const before = load.results.length;
      await eventually(() => load.results.length > before + 300, 30_000);
      await load.stop();

      const failed = load.results.filter(({ status }) => status !== 200);
      expect(failed.filter(({ startMs }) => startMs > killedMs)).toEqual([]);
      expect(failed.length).toBeLessThanOrEqual(inFlight);
      // Who signed in before is signed in still, and the node comes back.
      nodes[index] = await startNode(new URL(node.url).port);
    }
  });
});
