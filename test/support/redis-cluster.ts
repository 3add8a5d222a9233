import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort } from './ports.js';
import { waitUntil } from './program.js';
import { startRedis, type RedisServer } from './redis.js';
import { requireProgram } from './system-packages.js';

/** Three primaries with a replica each, on loopback. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** `redis+cluster://127.0.0.1:PORT,…` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a Redis Cluster of six nodes on free ports and waits until every node calls it ok. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    const started = await Promise.all(Array.from({ length: 6 }, startNode));
    nodes.push(...started);
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
    await promisify(execFile)(
      await requireProgram('redis-cli'),
      ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'],
      { timeout: 30_000 },
    );
    await isWhole(nodes);
    return { nodes, url: `redis+cluster://${addresses.join(',')}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startNode(): Promise<RedisServer> {
  // The bus between the nodes is on the port + 10 000 by default, which may be taken.
  const bus = await freePort();
  return startRedis({
    args: ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '1000'],
  });
}

async function isWhole(nodes: readonly RedisServer[]): Promise<void> {
  const whole = await waitUntil(async () => {
    const infos = await Promise.all(nodes.map((node) => node.command('cluster', 'info')));
    const tables = await Promise.all(nodes.map((node) => node.command('cluster', 'nodes')));
    return (
      infos.every((info) => info.includes('cluster_state:ok')) &&
      // Each node knows of all three replicas, too.
      tables.every((table) => (table.match(/ (?:myself,)?slave /g) ?? []).length === 3)
    );
  }, 20_000);
  if (!whole) throw new Error('The Redis Cluster did not become whole within 20 s');
}
