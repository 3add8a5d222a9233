export { connectRedis, redisLink } from './connect-redis.js';
export { RedisReplyError, RedisUnavailableError } from './errors.js';
export { requirePrefix } from './require-prefix.js';
export { outageOf, watchOutage } from './watch-outage.js';

export type { RedisClient, RedisClientOptions } from './client.js';
export type { RedisSource } from './connect-redis.js';
export type { RedisUnavailableReason } from './errors.js';
export type {
  RedisLink,
  RedisLinkReport,
  RedisLinkStateName,
  RedisScript,
  ScriptOptions,
  DecodedScriptOptions,
  PrepareScript,
  SubscribeOptions,
  ByteSubscribeOptions,
} from './link.js';
export type { LinkBreakerOptions, LinkOptions } from './options.js';
export type { Outage, OutageOptions, Probed } from './watch-outage.js';
export type { RedisArgument, RedisReply } from './reply.js';
