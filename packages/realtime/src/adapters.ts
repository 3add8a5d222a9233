import cluster from 'node:cluster';
import { createAdapter as createRedisAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createClusterAdapter } from '@socket.io/cluster-adapter';
import type { ServerOptions } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { redisClients } from './redis-clients.js';
import type { Settings } from './settings.js';
import { watchPrimary } from './workers.js';

/** By what processes hear of each other. */
export type AdapterKind = 'memory' | 'redis' | 'cluster';

/** What connects this process with the others. */
export interface NodeAdapter {
  readonly kind: AdapterKind;
  readonly adapter: NonNullable<ServerOptions['adapter']>;
  /** Whether the others are out of reach. */
  isDegraded(): boolean;
  close(): void;
}

/** A process manager tells its workers how many they are. One has nobody to hear of. */
const isOnlyWorker = (): boolean => process.env['SIGNALBOX_WORKERS'] === '1';

/** Of a process without others: it knows that nobody will answer. */
class LoneAdapter extends Adapter {
  override serverSideEmit(packet: unknown[]): void {
    const answered = packet.at(-1);
    if (typeof answered === 'function') (answered as (error: null, answers: unknown[]) => void)(null, []);
  }
}

/** Redis where there is one, else the primary of node:cluster, else nothing. */
export function createNodeAdapter({ link, nodeTimeoutMs }: Settings): NodeAdapter {
  if (link !== undefined) {
    const clients = redisClients(link);
    const options = { requestsTimeout: nodeTimeoutMs, publishOnSpecificResponseChannel: true };
    return {
      kind: 'redis',
      adapter: createRedisAdapter(clients.publisher, clients.subscriber, options),
      isDegraded: () => clients.isDegraded(),
      close: () => clients.close(),
    };
  }
  if (cluster.isWorker && !isOnlyWorker()) {
    const primary = watchPrimary();
    return {
      kind: 'cluster',
      adapter: createClusterAdapter(),
      isDegraded: () => !primary.isRelaying(),
      close: () => primary.close(),
    };
  }
  return { kind: 'memory', adapter: LoneAdapter, isDegraded: () => false, close: () => undefined };
}
