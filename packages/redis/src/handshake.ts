import type { RedisClient } from './client.js';

/**
 * Ends a connection that was made, and then brings no answer to the first commands: ioredis, without a
 * `socketTimeout`, waits for it for ever. (`socketTimeout` itself takes an event loop that stood still for
 * a dead connection.)
 *
 * @returns a function that ends the watch
 */
export function watchHandshake(client: RedisClient, timeoutMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;

  const begin = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => setImmediate(giveUp), timeoutMs).unref();
  };
  const end = (): void => clearTimeout(timer);
  const giveUp = (): void => {
    // Never while it is `connecting`: ioredis would end the client for good when it asks Sentinel.
    if (client.status === 'connect') client.disconnect(canReconnect(client));
  };

  client.on('connect', begin);
  for (const event of ['ready', 'close', 'end']) client.on(event, end);
  if (client.status === 'connect') begin();

  return () => {
    end();
    client.off('connect', begin);
    for (const event of ['ready', 'close', 'end']) client.off(event, end);
  };
}

/** Whether a client makes its connection anew by itself. A node of a cluster does not: it is replaced. */
export function canReconnect(client: RedisClient): boolean {
  return typeof client.options.retryStrategy === 'function';
}
