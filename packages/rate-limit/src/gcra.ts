import type { Algorithm } from './algorithm.js';
import type { Limit } from './limit.js';

export interface Bucket {
  /** Requests that have not drained away, as of `at`. */
  level: number;
  at: number;
}

/** What sums of fractions may be off by. */
const TOLERANCE = 1e-9;

/**
 * The generic cell rate algorithm (ITU-T I.371), written as the leaky bucket that it is equal to: a level that
 * sinks by one every interval. As a level it is exact also where an interval is shorter than the clock's
 * resolution, and a clock that is set back does not lock anybody out.
 */
export const gcra: Algorithm<Bucket> = {
  open: () => ({ level: 0, at: -Infinity }),

  look(state, limit, now, cost) {
    const level = levelAt(state, limit, now);
    const over = level + cost - limit.capacity;
    return {
      remaining: remaining(level, limit),
      resetMs: Math.ceil(level * limit.intervalMs),
      retryMs: over > TOLERANCE ? Math.max(1, Math.ceil(over * limit.intervalMs)) : 0,
      at: now,
    };
  },

  charge(state, limit, now, cost) {
    state.level = levelAt(state, limit, now) + cost;
    state.at = now;
    return {
      remaining: remaining(state.level, limit),
      resetMs: Math.ceil(state.level * limit.intervalMs),
      retryMs: 0,
      at: now,
    };
  },

  refund(state, limit, now, cost) {
    state.level = Math.max(0, levelAt(state, limit, now) - cost);
    state.at = now;
  },

  endsAt: (state, limit) => state.at + state.level * limit.intervalMs,
};

function levelAt({ level, at }: Bucket, { intervalMs, capacity }: Limit, now: number): number {
  if (level === 0) return 0;
  const drained = Math.max(0, now - at) / intervalMs;
  // A level above the capacity is of a time when more was allowed.
  return Math.min(capacity, Math.max(0, level - drained));
}

function remaining(level: number, { capacity }: Limit): number {
  return Math.max(0, Math.floor(capacity - level + TOLERANCE));
}
