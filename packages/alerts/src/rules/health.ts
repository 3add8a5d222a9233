import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { nameOfError } from '../clean.js';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';
import { requireNames } from './names.js';

export interface OnHealthOptions extends Timing {
  /**
   * Names of the checks that are meant.
   * @default all
   */
  checks?: readonly string[] | undefined;
}

/**
 * A health check fails: critical where the check is, else a warning. One that is only degraded is for information.
 *
 * @throws {TypeError} when an option is wrong
 */
export function onHealth(options: OnHealthOptions = {}): AlertRule {
  refuseUnknownOptions('onHealth', options, [...TIMING, 'checks']);
  const { checks, severity, forMs = 10_000, quietMs } = options;
  requireNames('onHealth', 'checks', checks);

  return makeRule('onHealth', {
    name: 'health-check',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) =>
          `sum by (check) (${of('signalbox_health_check_status', 'status="unhealthy"')}) > 0`,
        summary: 'The check {{ $labels.check }} fails',
      },
    ],
    watch: ({ holds, gone }) =>
      signals.healthChanged.subscribe(({ check, critical, status, error }) => {
        if (checks !== undefined && !checks.includes(check)) return;
        if (status === 'healthy') return gone(check);
        const usual = status === 'degraded' ? 'info' : critical ? 'critical' : 'warning';
        const reason = nameOfError(error);
        holds(check, {
          title: status === 'degraded' ? `The check "${check}" is degraded` : `The check "${check}" fails`,
          severity: severity ?? usual,
          details: reason === undefined ? [] : [reason],
        });
      }),
  });
}
