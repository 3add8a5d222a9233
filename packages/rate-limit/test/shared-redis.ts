import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';

export interface SharedRedis {
  readonly server: RedisServer;
  /** With ioredis' own defaults, as an app has one; connected. */
  readonly client: Redis;
}

/** One Redis, and a client of it, for all tests of the file or the `describe` that calls this. */
export function sharedRedis(): SharedRedis {
  let opened: SharedRedis | undefined;

  beforeAll(async () => {
    const server = await startRedis();
    const client = new Redis(server.port);
    await client.ping();
    opened = { server, client };
  });
  afterAll(async () => {
    opened?.client.disconnect();
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
  };
}
