import type { Searxng } from '@signalbox/gateway';
import {
  check,
  eventLoopDelayCheck,
  health,
  memoryCheck,
  postgresCheck,
  redisCheck,
  type Health,
} from '@signalbox/health';
import type { Database } from '@signalbox/postgres';
import type { RedisLink } from '@signalbox/redis';
import type { Settings } from './settings.js';
import { VERSION } from './version.js';

/** What the process depends on. */
export interface Dependencies {
  instances: Searxng | undefined;
  redis: RedisLink | undefined;
  answersRedis: RedisLink | undefined;
  database: Database;
  checkTables: () => Promise<void>;
}

export function probesOf(
  settings: Settings,
  { instances, redis, answersRedis, database, checkTables }: Dependencies,
): Health {
  return health({
    service: 'signalbox-orchestrator',
    version: VERSION,
    environment: settings.NODE_ENV,
    deployment: { messageQueue: redis && 'redis' },
    access: settings.ADMIN_ALLOW,
    checks: [
      check('event-loop', eventLoopDelayCheck()),
      check('memory', memoryCheck()),
      check('postgres', postgresCheck(database)),
      // A version whose tables cannot be made must not replace one that works: a rollout stops here.
      check('tables', checkTables, { critical: true, failuresToFall: 1, timeoutMs: 5_000 }),
      ...(redis ? [check('redis', redisCheck(redis))] : []),
      ...(answersRedis ? [check('redis-cache', redisCheck(answersRedis))] : []),
      ...(instances ? [check('searxng', async (signal) => void (await instances.check({ signal })))] : []),
    ],
  });
}
