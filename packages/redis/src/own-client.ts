import { wrongSecret } from '@signalbox/options';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisClient } from './client.js';
import { jittered } from './jitter.js';
import { parseRedisUrl } from './redis-url.js';

/** The longest pause before a connection is tried again, in milliseconds. */
const MAX_PAUSE_MS = 400;

/** For ever, since a Redis that comes back after a night must be found within half a second. */
const retrySoon = (times: number): number => Math.min(MAX_PAUSE_MS, jittered(25 * 2 ** Math.min(times, 4)));

/** What keeps the promise that no command waits: set by the link alone. */
const CONTRACT = {
  // What cannot be sent now is refused now.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // What was under way may have happened; it is not done again.
  autoResendUnfulfilledCommands: false,
  // It keeps later commands waiting for the pipeline under way.
  enableAutoPipelining: false,
  // Answers have one shape, whatever the protocol.
  replyMapping: 'legacy',
  stringNumbers: false,
  lazyConnect: false,
  monitor: false,
  retryStrategy: retrySoon,
} as const;

/** Settings that a caller may override. */
const DEFAULTS = {
  connectTimeout: 500,
  // A dead peer does not say goodbye.
  disconnectTimeout: 100,
  maxLoadingRetryTime: 300,
  disableClientInfo: true,
  // Of Sentinel: one that accepts and never answers is passed over.
  sentinelCommandTimeout: 500,
  sentinelRetryStrategy: retrySoon,
} as const;

/** Timers of ioredis that take an event loop that stood still for a dead Redis. */
const REFUSED = ['commandTimeout', 'socketTimeout', 'reconnectOnError', ...Object.keys(CONTRACT)];

/**
 * Makes a client that keeps the outage contract, of a URL or of ioredis' options.
 *
 * @throws {TypeError} when they are wrong
 */
export function openClient(source: string | RedisOptions): RedisClient {
  if (typeof source !== 'string') return openWithOptions(source);
  const { kind, nodes, options } = parseRedisUrl(source);
  // More round trips, and work for both sides.
  const defaults = options.tls ? { ...DEFAULTS, connectTimeout: 2_000 } : DEFAULTS;
  if (kind === 'cluster') return openCluster(nodes, { ...defaults, ...options });
  return new Redis({ ...defaults, ...options, ...CONTRACT });
}

function openWithOptions(options: RedisOptions): RedisClient {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw wrongSecret('connectRedis', 'source', "a URL, ioredis' options or an ioredis client", options);
  }
  const refused = REFUSED.find((option) => Reflect.get(options, option) !== undefined);
  if (refused !== undefined) {
    throw new TypeError(
      `connectRedis: "source.${refused}" is the link's own to set; hand in a client of yours to keep it`,
    );
  }
  return new Redis({ ...DEFAULTS, ...options, ...CONTRACT });
}

function openCluster(nodes: readonly { host: string; port: number }[], options: RedisOptions): RedisClient {
  const { enableOfflineQueue, retryStrategy, lazyConnect, ...contract } = CONTRACT;
  return new Cluster(
    nodes.map((node) => ({ ...node })),
    {
      enableOfflineQueue,
      lazyConnect,
      clusterRetryStrategy: retryStrategy,
      // A host that has no address now shall not keep the others from being asked, and certificates are for names.
      dnsLookup: (host, found) => found(null, host),
      // A command that meets a dead server is refused, and the map of the slots read again meanwhile.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: 20,
      // Follows MOVED and ASK, but not in circles: each is another round trip within the deadline.
      maxRedirections: 4,
      slotsRefreshTimeout: 500,
      slotsRefreshInterval: 5_000,
      redisOptions: { ...options, ...contract },
    },
  );
}
