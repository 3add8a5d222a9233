import {
  deprecated,
  redisUsageStore,
  memoryUsageStore,
  usageReport,
  type UsageReport,
} from '@signalbox/versioning';
import type { RedisLink } from '@signalbox/redis';
import type { Request, RequestHandler } from 'express';

/** When each version that is deprecated ends. */
export const API_SUNSETS = { v1: '2027-11-22' };

/** Says with every answer of v1 that v2 is there. */
export function v1IsDeprecated(): RequestHandler {
  return deprecated({
    since: '2026-11-22',
    sunset: API_SUNSETS.v1,
    successor: '/api/v2',
    link: '/docs/guide/api-versions.md',
    consumer: consumerOf,
  });
}

/** Who still calls what is deprecated. */
export function apiUsage(redis: RedisLink | undefined): UsageReport {
  return usageReport({ store: redis === undefined ? memoryUsageStore() : redisUsageStore(redis) });
}

/** Programs by their keys, people by the ids of their accounts; guests are nobody in particular. */
function consumerOf({ auth }: Request): string | undefined {
  if (auth === undefined) return undefined;
  if (auth.roles.includes('guest')) return 'guests';
  return auth.method === 'api_key' ? `key:${auth.id}` : auth.subject;
}
