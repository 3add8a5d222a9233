import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';
import { requireNames } from './names.js';

export interface RedisDownOptions extends Timing {
  /**
   * Names of features and health checks that stand on Redis: while it is gone, theirs is told within this incident.
   * @default the check `redis`, and the features of the packages that can keep their things in Redis
   */
  explains?: readonly string[] | undefined;
}

const ON_REDIS = [
  'redis',
  'api-keys',
  'cache',
  'emitter',
  'idempotency',
  'jobs',
  'rate-limit',
  'realtime',
  'sessions',
  'tokens',
  'version-usage',
] as const;

/**
 * A link to Redis is down for a quarter of a minute. What follows from it is told with it.
 *
 * @throws {TypeError} when an option is wrong
 */
export function redisDown(options: RedisDownOptions = {}): AlertRule {
  refuseUnknownOptions('redisDown', options, [...TIMING, 'explains']);
  const { explains = ON_REDIS, severity = 'critical', forMs = 15_000, quietMs } = options;
  requireNames('redisDown', 'explains', explains);

  return makeRule('redisDown', {
    name: 'redis-down',
    severity,
    forMs,
    quietMs,
    isShared: true,
    explains: explains.flatMap((name) => [`feature-degraded/${name}`, `health-check/${name}`]),
    prometheus: [
      {
        expression: (of) => `min by (link) (${of('signalbox_redis_up')}) == 0`,
        summary: 'Redis does not answer on the link {{ $labels.link }}',
      },
    ],
    watch: ({ holds, gone }) =>
      signals.redisLinkState.subscribe(({ link, state }) => {
        // On the way back, `connecting`, it is not there yet.
        if (state === 'down') holds(link, { title: `Redis does not answer (${link})` });
        else if (state !== 'connecting') gone(link);
      }),
  });
}
