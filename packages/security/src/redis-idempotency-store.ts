import { refuseUnknownOptions, requireObject, wrongOption } from '@signalbox/options';
import { redisLink, type RedisSource } from '@signalbox/redis';
import type { Begun, IdempotencyStore } from './idempotency-store.js';

/** Options of {@link redisIdempotencyStore}. */
export interface RedisIdempotencyStoreOptions {
  /** @default 'signalbox:idempotency:' */
  prefix?: string | undefined;
}

// One hash a key: f fingerprint, h holder, a answer once there is one. It never exists without its expiry.
const BEGIN = `
local found = redis.call('HMGET', KEYS[1], 'f', 'a')
if found[1] then
  if found[2] then return { 'done', found[1], found[2] } end
  return { 'running', found[1] }
end
redis.call('HSET', KEYS[1], 'f', ARGV[1], 'h', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'claimed' }`;

const FINISH = `
local found = redis.call('HMGET', KEYS[1], 'h', 'a')
if found[1] ~= ARGV[1] then return 0 end
if found[2] then return found[2] == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'a', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

const RELEASE = `
local found = redis.call('HMGET', KEYS[1], 'h', 'a')
if found[1] == ARGV[1] and not found[2] then return redis.call('DEL', KEYS[1]) end
return 0`;

/**
 * Keeps answers in Redis, for all processes. What is kept is what the route answered, in clear.
 *
 * @param source a link of `@signalbox/redis`, or an ioredis client, which stays its owner's to close
 * @throws {TypeError} when it is neither, or an option is wrong
 */
export function redisIdempotencyStore(
  source: RedisSource,
  options: RedisIdempotencyStoreOptions = {},
): IdempotencyStore {
  requireObject('redisIdempotencyStore', 'options', options);
  refuseUnknownOptions('redisIdempotencyStore', options, ['prefix']);
  const { prefix = 'signalbox:idempotency:' } = options;
  if (typeof prefix !== 'string') throw wrongOption('redisIdempotencyStore', 'prefix', 'a string', prefix);

  const link = redisLink(source);
  const begin = link.script('idempotency-begin', BEGIN);
  const release = link.script('idempotency-release', RELEASE);

  return {
    shared: true,
    async begin(id, { fingerprint, holder, lockSeconds }) {
      return begunOf(await begin([prefix + id], [fingerprint, holder, lockSeconds * 1_000]));
    },
    async finish(id, holder, answer, ttlSeconds) {
      // With its text: were it refused at first, as one that Redis does not know yet, a repetition could come in between.
      const args = [prefix + id, holder, answer, ttlSeconds * 1_000];
      return Number(await link.command('eval', FINISH, 1, ...args)) === 1;
    },
    async release(id, holder) {
      await release([prefix + id], [holder]);
    },
  };
}

function begunOf(reply: unknown): Begun {
  const [state = '', fingerprint = '', answer = ''] = Array.isArray(reply) ? reply.map(String) : [];
  if (state === 'claimed') return { state };
  if (state === 'running') return { state, fingerprint };
  return { state: 'done', fingerprint, answer };
}
