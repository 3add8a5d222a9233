import { connectRedis, type RedisLink } from '@signalbox/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { eventually } from './eventually.js';
import { startRedis, type RedisServer } from './redis.js';

export interface SharedRedis {
  readonly server: RedisServer;
  /** With ioredis' own defaults, as an app has one; connected. */
  readonly client: Redis;
  /** A link whose deadline is not what a test is about, so that a busy machine does not fail it; up. */
  readonly link: RedisLink;
}

/** One Redis, and ways to it, for all tests of the file or the `describe` that calls this. */
export function sharedRedis(): SharedRedis {
  let opened: SharedRedis | undefined;

  beforeAll(async () => {
    const server = await startRedis();
    const client = new Redis(server.port, server.host);
    client.on('error', () => undefined);
    const link = connectRedis(server.url, { deadlineMs: 5_000 });
    opened = { server, client, link };
    await client.ping();
    await eventually(() => link.state === 'up');
  });
  afterAll(async () => {
    opened?.client.disconnect();
    await opened?.link.close();
    await opened?.server.stop();
  });

  function whenOpen(): SharedRedis {
    if (opened === undefined) throw new Error('Redis is there in tests and hooks only');
    return opened;
  }
  return {
    get server() {
      return whenOpen().server;
    },
    get client() {
      return whenOpen().client;
    },
    get link() {
      return whenOpen().link;
    },
  };
}
