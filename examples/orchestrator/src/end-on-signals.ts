import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Ends the process on SIGTERM and SIGINT until it has listeners of its own. Any other process ends so by itself, but for the first
 * one of a container the system drops signals that nobody listens to: told to stop while it starts, it would go on until it is
 * killed.
 *
 * @returns what to call once there are listeners that drain
 */
export function endOnSignals(): () => void {
  if (process.pid !== 1) return () => undefined;
  for (const signal of SIGNALS) process.on(signal, end);
  return () => {
    for (const signal of SIGNALS) process.off(signal, end);
  };
}

function end(signal: (typeof SIGNALS)[number]): void {
  process.exit(128 + constants.signals[signal]);
}
