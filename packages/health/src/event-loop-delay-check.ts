import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { refuseUnknownOptions, requireNumber } from '@signalbox/options';
import type { CheckReport } from './check-result.js';
import type { CheckFunction } from './check.js';

export interface EventLoopDelayCheckOptions {
  /**
   * Delay that is too much, in milliseconds.
   * @default 250
   */
  maxDelayMs?: number | undefined;
  /**
   * Which percentile of the delays since the last run is looked at.
   * @default 99
   */
  percentile?: number | undefined;
}

const RESOLUTION_MS = 10;

/**
 * Looks at how late the event loop was since the last run.
 *
 * @throws {TypeError} when an option is out of range
 */
export function eventLoopDelayCheck(options: EventLoopDelayCheckOptions = {}): CheckFunction {
  refuseUnknownOptions('eventLoopDelayCheck', options, ['maxDelayMs', 'percentile']);
  const { maxDelayMs = 250, percentile = 99 } = options;
  requireNumber('eventLoopDelayCheck', 'maxDelayMs', maxDelayMs, { above: 0, finite: true });
  requireNumber('eventLoopDelayCheck', 'percentile', percentile, { above: 0, max: 100 });
  let current: IntervalHistogram | undefined;

  const lookAtDelay = async (): Promise<CheckReport | undefined> => {
    // A histogram knows no delay before its first tick, nor one that no tick has ended: the next takes
    // over before this one is read, so that a delay between two runs is in one of them.
    const previous = current;
    current = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    current.enable();
    if (previous === undefined) return undefined;
    await setTimeout(2 * RESOLUTION_MS, undefined, { ref: false });
    previous.disable();

    // What is recorded is the distance of two ticks, which without any delay is the resolution.
    const distanceMs = previous.percentile(percentile) / 1e6;
    const delayMs = Math.max(0, Math.round((distanceMs - RESOLUTION_MS) * 10) / 10);
    return {
      status: delayMs > maxDelayMs ? 'unhealthy' : 'healthy',
      reason: `the event loop was ${delayMs} ms late`,
      details: { delay_ms: delayMs, percentile },
    };
  };

  return Object.assign(lookAtDelay, {
    close() {
      current?.disable();
      current = undefined;
    },
  });
}
