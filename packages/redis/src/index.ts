export { connectRedis, redisLink } from './connect-redis.js';
export { RedisReplyError, RedisUnavailableError } from './errors.js';

export type { RedisClient } from './client.js';
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
} from './link.js';
export type { LinkBreakerOptions, LinkOptions } from './options.js';
export type { RedisArgument, RedisReply } from './reply.js';
