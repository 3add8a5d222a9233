import {
  refuseUnknownOptions,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireText,
} from '@signalbox/options';
import { redisLink, type RedisClient, type RedisLink } from '@signalbox/redis';

export interface QueueOptions {
  /**
   * How many events may wait for Redis. One more is refused with an `EmitterQueueFullError`.
   * @default 1_000
   */
  maxEvents?: number | undefined;
  /**
   * How many bytes they may take.
   * @default 8_388_608
   */
  maxBytes?: number | undefined;
  /**
   * How old an event may get while it waits, in milliseconds; then it is dropped. Without it, it waits as long as the
   * process lives.
   */
  maxAgeMs?: number | undefined;
  /**
   * How long it waits after an outage until as many servers listen as did before, in milliseconds: what is published
   * before they are back, nobody hears.
   * @default 5_000
   */
  settleMs?: number | undefined;
}

export interface ExternalEmitterOptions {
  /** A `RedisLink`, or an ioredis client. It must be the Redis of the servers' adapter, and stays yours to close. */
  redis: RedisLink | RedisClient;
  /**
   * The namespace that events go to; `of()` gives others.
   * @default '/'
   */
  namespace?: string | undefined;
  /**
   * What channels begin with: the `key` of the servers' adapter.
   * @default 'socket.io'
   */
  key?: string | undefined;
  /**
   * How long a call may take, in milliseconds, with the wait for the first connection. The link's own deadline holds, too.
   * @default 1_000
   */
  deadlineMs?: number | undefined;
  /**
   * How large an event may be, in bytes as it goes through Redis.
   * @default 1_000_000
   */
  maxEventBytes?: number | undefined;
  /** Keeps events while Redis is gone, and delivers them in order on its return. Without it they are refused. */
  queue?: QueueOptions | undefined;
  /**
   * What the key begins with by which an emitter with a queue knows what it has published.
   * @default 'signalbox:emitter:'
   */
  prefix?: string | undefined;
}

export interface QueueSettings {
  maxEvents: number;
  maxBytes: number;
  maxAgeMs: number;
  settleMs: number;
}

/** {@link ExternalEmitterOptions}, checked, with the defaults. */
export interface EmitterSettings {
  link: RedisLink;
  namespace: string;
  key: string;
  deadlineMs: number;
  maxEventBytes: number;
  queue: QueueSettings | undefined;
  prefix: string;
}

const OWNER = 'externalEmitter';

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(options: ExternalEmitterOptions): EmitterSettings {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, [
    'redis',
    'namespace',
    'key',
    'deadlineMs',
    'maxEventBytes',
    'queue',
    'prefix',
  ]);
  const {
    redis,
    namespace = '/',
    key = 'socket.io',
    deadlineMs = 1_000,
    maxEventBytes = 1_000_000,
    queue,
    prefix = 'signalbox:emitter:',
  } = options;

  requireObject(OWNER, 'redis', redis);
  requireText(OWNER, 'namespace', namespace);
  requireText(OWNER, 'key', key);
  requireMilliseconds(OWNER, 'deadlineMs', deadlineMs);
  requireInteger(OWNER, 'maxEventBytes', maxEventBytes, 1);
  requireText(OWNER, 'prefix', prefix);

  return {
    link: redisLink(redis),
    namespace: normalNamespace(namespace),
    key,
    deadlineMs,
    maxEventBytes,
    queue: queue === undefined ? undefined : resolveQueue(queue),
    prefix,
  };
}

function resolveQueue(queue: QueueOptions): QueueSettings {
  requireObject(OWNER, 'queue', queue);
  refuseUnknownOptions(`${OWNER}: "queue"`, queue, ['maxEvents', 'maxBytes', 'maxAgeMs', 'settleMs']);
  const { maxEvents = 1_000, maxBytes = 8_388_608, maxAgeMs, settleMs = 5_000 } = queue;
  requireInteger(OWNER, 'queue.maxEvents', maxEvents, 1, 1_000_000);
  requireInteger(OWNER, 'queue.maxBytes', maxBytes, 1);
  if (maxAgeMs !== undefined) requireMilliseconds(OWNER, 'queue.maxAgeMs', maxAgeMs);
  requireMilliseconds(OWNER, 'queue.settleMs', settleMs, 0);
  return { maxEvents, maxBytes, maxAgeMs: maxAgeMs ?? Infinity, settleMs };
}

/** As socket.io has it: `chat` is `/chat`. */
export function normalNamespace(namespace: string): string {
  return namespace.startsWith('/') ? namespace : `/${namespace}`;
}
