import type { Writable } from 'node:stream';

/** Settings of an ioredis client that the link reads. */
export interface RedisClientOptions {
  readonly keyPrefix?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly retryStrategy?: unknown;
  /** What Sentinel is asked, and where. */
  readonly sentinels?: readonly { host?: string | undefined; port?: number | undefined }[] | null | undefined;
  readonly name?: string | null | undefined;
  readonly role?: string | undefined;
  readonly failoverDetector?: boolean | undefined;
  readonly sentinelUsername?: string | null | undefined;
  readonly sentinelPassword?: string | null | undefined;
  readonly sentinelTLS?: object | undefined;
  /** Set for a replica of a cluster. */
  readonly readOnly?: boolean | undefined;
}

/** What the link needs of an ioredis client, a `Redis` or a `Cluster`, of version 5 or 6. */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: RedisClientOptions;
  connect(): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
  quit(): Promise<unknown>;
  /** Takes a `Command` of its own ioredis; `never` lets the types of both versions fit. */
  sendCommand(command: never): unknown;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What the link needs of a `Redis`. */
export interface SingleClient extends RedisClient {
  /** None before the first connection, and another after each. */
  readonly stream?: Writable | null | undefined;
  duplicate(override?: never): SingleClient;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  psubscribe(...patterns: string[]): Promise<unknown>;
  punsubscribe(...patterns: string[]): Promise<unknown>;
  ping(): Promise<unknown>;
}

/** What the link needs of a `Cluster`. */
export interface ClusterClient extends RedisClient {
  /** For each slot the servers that hold it, as `host:port`, the primary first. */
  readonly slots: readonly (readonly string[] | undefined)[];
  nodes(role?: 'all' | 'master' | 'slave'): SingleClient[];
  refreshSlotsCache(callback?: (error?: Error | null) => void): void;
}

/** Whether a value is an ioredis client, of whatever copy of the library. */
export function isClient(value: unknown): value is RedisClient {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sendCommand' in value &&
    typeof value.sendCommand === 'function' &&
    'status' in value &&
    'options' in value &&
    'disconnect' in value
  );
}

export function isClusterClient(client: RedisClient): client is ClusterClient {
  return client.isCluster;
}
