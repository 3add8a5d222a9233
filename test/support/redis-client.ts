import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';

/** A client as an app has one, with ioredis' own defaults, until the test ends. Its server may not be there. */
export function redisClient(server: number | string): Redis {
  const client = typeof server === 'number' ? new Redis(server, '127.0.0.1') : new Redis(server);
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** {@link redisClient}, connected. */
export async function connectedClient(server: number | string): Promise<Redis> {
  const client = redisClient(server);
  await client.ping();
  return client;
}
