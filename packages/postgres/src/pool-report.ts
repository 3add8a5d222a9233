import { signals } from '@signalbox/signals';
import type { PoolStats } from './database.js';

/** Tells of the pool's connections when they change. */
export interface PoolReport {
  /** Something may be different. */
  changed: () => void;
  close(): void;
}

/** Not more often: a busy pool changes with every statement. */
const PAUSE_MS = 20;

export function createPoolReport(pool: string, stats: () => PoolStats): PoolReport {
  let last: PoolStats | undefined;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    timer = undefined;
    const now = stats();
    const isSame =
      last !== undefined &&
      now.max === last.max &&
      now.size === last.size &&
      now.idle === last.idle &&
      now.waiting === last.waiting;
    last = now;
    if (!isSame) signals.poolState.publish({ pool, ...now });
  }

  return {
    changed() {
      if (timer === undefined && signals.poolState.hasSubscribers) timer = setTimeout(look, PAUSE_MS).unref();
    },
    close() {
      clearTimeout(timer);
      if (signals.poolState.hasSubscribers) look();
    },
  };
}
