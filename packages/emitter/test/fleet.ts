import { connectRedis, type RedisLink } from '@signalbox/redis';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { externalEmitter, type ExternalEmitter, type ExternalEmitterOptions } from '../src/index.js';
import { startNode, type Node, type NodeOptions } from './nodes.js';

/** One Redis and two servers, for all tests of a file. */
export interface Fleet {
  readonly redis: RedisServer;
  readonly one: Node;
  readonly two: Node;
}

export function sharedFleet(options: NodeOptions = {}): Fleet {
  let opened: Fleet | undefined;

  beforeAll(async () => {
    const redis = await startRedis();
    const [one, two] = await Promise.all([startNode(redis.port, options), startNode(redis.port, options)]);
    opened = { redis, one, two };
  });
  afterAll(async () => {
    await Promise.all([opened?.one.close(), opened?.two.close()]);
    await opened?.redis.stop();
  });

  function whenOpen(): Fleet {
    if (opened === undefined) throw new Error('the fleet is there in tests and hooks only');
    return opened;
  }
  return {
    get redis() {
      return whenOpen().redis;
    },
    get one() {
      return whenOpen().one;
    },
    get two() {
      return whenOpen().two;
    },
  };
}

/** A link that is closed when the test ends. */
export function linkTo(redis: { url: string } | { port: number }, deadlineMs?: number): RedisLink {
  const url = 'url' in redis ? redis.url : `redis://127.0.0.1:${redis.port}`;
  const link = connectRedis(url, { deadlineMs });
  onTestFinished(() => link.close());
  return link;
}

/** An emitter that is closed when the test ends, before its link. */
export function emitterOn<Events extends object = Record<string, unknown>>(
  link: RedisLink,
  options: Omit<ExternalEmitterOptions, 'redis'> = {},
): ExternalEmitter<Events> {
  const emitter = externalEmitter<Events>({ redis: link, ...options });
  onTestFinished(() => emitter.close());
  return emitter;
}
