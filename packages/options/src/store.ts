import { shown } from './wrong-option.js';

/**
 * Whether it is a store, as far as its methods tell.
 *
 * @param makers what makes one, in memory and on Redis, such as `memoryStore` and `redisStore`
 * @throws {TypeError} when a method is missing; where it is a Redis client, with what to do
 */
export function requireStore(
  owner: string,
  store: unknown,
  methods: readonly string[],
  [inMemory, onRedis]: readonly [inMemory: string, onRedis: string],
): void {
  const isObject = typeof store === 'object' && store !== null;
  if (isObject && methods.every((name) => typeof Reflect.get(store, name) === 'function')) return;
  // What people hand in who have used other libraries before, or who forget a call.
  const hint = isObject && 'sendCommand' in store ? `: wrap the Redis client in ${onRedis}()` : '';
  throw new TypeError(`${owner}: "store" must be ${inMemory}() or ${onRedis}(), got ${shown(store)}${hint}`);
}
