import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

/**
 * A refresh token was used again after its grace: somebody else may have it. Whose it was stands in the log, not in the message.
 *
 * @throws {TypeError} when an option is wrong
 */
export function tokenTheft(options: Timing = {}): AlertRule {
  refuseUnknownOptions('tokenTheft', options, TIMING);
  const { severity = 'critical', forMs, quietMs = 600_000 } = options;

  return makeRule('tokenTheft', {
    name: 'token-theft',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => {
          const reused = of('signalbox_token_events_total', 'event="reused"');
          // A counter that begins with 1 has not increased yet.
          return `sum(increase(${reused}[5m])) > 0 or sum(${reused} unless ${reused} offset 5m) > 0`;
        },
        summary: 'Refresh tokens were used twice: somebody else may have them',
      },
    ],
    watch: ({ happened }) =>
      signals.tokenEvent.subscribe(({ event, kind }) => {
        if (event !== 'reused') return;
        happened(kind, { title: 'A refresh token was used twice: somebody else may have it' });
      }),
  });
}
