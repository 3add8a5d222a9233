import { refuseUnknownOptions, requireInteger } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface PoolWaitingOptions extends Timing {
  /**
   * More callers than this must wait for a connection.
   * @default 0
   */
  above?: number | undefined;
}

/**
 * Callers wait for a connection to the database for half a minute.
 *
 * @throws {TypeError} when an option is wrong
 */
export function poolWaiting(options: PoolWaitingOptions = {}): AlertRule {
  refuseUnknownOptions('poolWaiting', options, [...TIMING, 'above']);
  const { above = 0, severity, forMs = 30_000, quietMs } = options;
  requireInteger('poolWaiting', 'above', above, 0);

  return makeRule('poolWaiting', {
    name: 'pool-waiting',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => `sum by (pool) (${of('signalbox_database_pool_waiting')}) > ${above}`,
        summary: '{{ $value }} callers wait for a connection of the pool {{ $labels.pool }}',
      },
    ],
    watch: ({ holds, gone }) =>
      signals.poolState.subscribe(({ pool, max, waiting }) => {
        if (waiting <= above) return gone(pool);
        holds(pool, {
          title: `The database pool "${pool}" is used up`,
          details: [`${waiting} wait, ${max} connections at most`],
        });
      }),
  });
}
