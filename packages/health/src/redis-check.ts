import { wrongSecret } from '@signalbox/options';
import type { CheckFunction } from './check.js';

/** What a Redis client must have: one of the two. `check` is preferred and may return details. */
export interface RedisLike {
  check?: ((signal: AbortSignal) => unknown) | undefined;
  ping?: (() => unknown) | undefined;
}

/**
 * Asks Redis. Give the client a deadline of its own, such as ioredis' `commandTimeout`: a PING that
 * is never answered is not followed by another.
 *
 * @param client anything with `check()`, such as a `RedisLink`, or with `ping()`, such as ioredis and
 *   node-redis; or a function that asks
 * @throws {TypeError} when it is none of these
 */
export function redisCheck(client: RedisLike | CheckFunction): CheckFunction {
  if (typeof client === 'function') return client;
  if (typeof client?.check !== 'function' && typeof client?.ping !== 'function') {
    throw wrongSecret('redisCheck', 'client', 'an object with check() or ping(), or a function', client);
  }

  return async function askRedis(signal) {
    if (client.check === undefined) {
      await client.ping?.();
      return undefined;
    }
    const result = await client.check(signal);
    return isFigures(result) ? { details: result } : result;
  };
}

/** Whether an object only tells, as opposed to a report that judges. */
function isFigures(result: unknown): boolean {
  return typeof result === 'object' && result !== null && !('status' in result) && !('details' in result);
}
