import { refuseUnknownOptions, requireInteger } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface LoadShedOptions extends Timing {
  /**
   * Requests that must be turned away in a minute.
   * @default 20
   */
  perMinute?: number | undefined;
}

const MINUTE_MS = 60_000;

/**
 * Requests are turned away since there is too much to do.
 *
 * @throws {TypeError} when an option is wrong
 */
export function loadShed(options: LoadShedOptions = {}): AlertRule {
  refuseUnknownOptions('loadShed', options, [...TIMING, 'perMinute']);
  const { perMinute = 20, severity, forMs, quietMs } = options;
  requireInteger('loadShed', 'perMinute', perMinute, 1);

  return makeRule('loadShed', {
    name: 'load-shed',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => `sum(rate(${of('signalbox_requests_shed_total')}[1m])) * 60 >= ${perMinute}`,
        summary: '{{ $value }} requests a minute are turned away under load',
      },
    ],
    watch({ happened, now }) {
      let sinceMs = -Infinity;
      let count = 0;
      return signals.requestShed.subscribe(({ reason }) => {
        if (now() - sinceMs >= MINUTE_MS) {
          sinceMs = now();
          count = 0;
        }
        count += 1;
        // Once a minute is enough to say.
        if (count === perMinute) {
          happened('load', {
            title: 'Requests are turned away under load',
            details: [reason.replaceAll('_', ' ')],
          });
        }
      });
    },
  });
}
