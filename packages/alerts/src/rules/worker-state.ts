import { refuseUnknownOptions, requireInteger, requireMilliseconds } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface WorkerStateOptions extends Timing {
  /**
   * So many workers that end with an error are critical.
   * @default 3
   */
  exits?: number | undefined;
  /**
   * In this time, in milliseconds.
   * @default 300_000
   */
  withinMs?: number | undefined;
}

/**
 * A worker is stuck, or ends with an error; critical where they keep ending. For the process that manages the workers.
 *
 * @throws {TypeError} when an option is wrong
 */
export function workerState(options: WorkerStateOptions = {}): AlertRule {
  refuseUnknownOptions('workerState', options, [...TIMING, 'exits', 'withinMs']);
  const { exits = 3, withinMs = 300_000, severity, forMs, quietMs = 300_000 } = options;
  requireInteger('workerState', 'exits', exits, 1);
  requireMilliseconds('workerState', 'withinMs', withinMs);

  return makeRule('workerState', {
    name: 'worker',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => {
          const stuck = of('signalbox_worker_changes_total', 'state="stuck"');
          return `sum(increase(${stuck}[10m])) > 0 or sum(${stuck} unless ${stuck} offset 10m) > 0`;
        },
        summary: 'A worker was stuck',
      },
    ],
    watch({ happened, now }) {
      let endedMs: number[] = [];
      const leaving = new Set<number>();
      return signals.workerState.subscribe(({ worker, state, code }) => {
        if (state === 'draining') leaving.add(worker);
        if (state === 'stuck') return happened('stuck', { title: 'A worker was stuck' });
        if (state !== 'exited') return;
        // One that was asked to go may be hurried in the end.
        if (leaving.delete(worker) || code === 0) return;
        endedMs = [...endedMs.filter((ms) => now() - ms < withinMs), now()].slice(-exits);
        const isCritical = endedMs.length >= exits;
        happened('exited', {
          title: isCritical ? 'Workers keep ending with an error' : 'A worker ended with an error',
          severity: severity ?? (isCritical ? 'critical' : 'warning'),
        });
      });
    },
  });
}
