import type { Algorithm } from './algorithm.js';
import type { Limit } from './limit.js';

/** When requests came. Those of one slot stand together under the time of the last. */
export interface SlidingLog {
  total: number;
  times: number[];
  counts: number[];
}

/**
 * Into how many slots a window is divided. Requests of one slot count until the last of them is out of the
 * window, so that never more than the limit come in any window, and what came is forgotten late by less than
 * 1 / 128 of it. Requests that came further apart are counted exactly.
 */
const SLOTS = 128;

/** A log of the last window, bounded whatever the limit. */
export const slidingWindow: Algorithm<SlidingLog> = {
  open: () => ({ total: 0, times: [], counts: [] }),

  look(state, limit, now, cost) {
    forget(state, limit, now);
    const over = state.total + cost - limit.capacity;
    return {
      remaining: Math.max(0, limit.capacity - state.total),
      resetMs: msUntilForgotten(state, limit, now, state.total),
      retryMs: over > 0 ? Math.max(1, msUntilForgotten(state, limit, now, over)) : 0,
      at: now,
    };
  },

  charge(state, limit, now, cost) {
    forget(state, limit, now);
    const last = state.times.length - 1;
    const before = state.times[last];
    const slotMs = limit.windowMs / SLOTS;
    if (before !== undefined && Math.floor(before / slotMs) >= Math.floor(now / slotMs)) {
      state.times[last] = Math.max(before, now);
      state.counts[last] = (state.counts[last] ?? 0) + cost;
    } else {
      state.times.push(now);
      state.counts.push(cost);
    }
    state.total += cost;
    return {
      remaining: Math.max(0, limit.capacity - state.total),
      resetMs: limit.windowMs,
      retryMs: 0,
      at: now,
    };
  },

  refund(state, limit, now, cost, at) {
    forget(state, limit, now);
    const index = state.times.findIndex((time) => time >= at);
    const counted = state.counts[index];
    if (counted === undefined) return;
    const refunded = Math.min(cost, counted);
    state.counts[index] = counted - refunded;
    state.total -= refunded;
  },

  endsAt: (state, limit) => (state.times.at(-1) ?? -Infinity) + limit.windowMs,
};

function forget(state: SlidingLog, { windowMs }: Limit, now: number): void {
  let gone = 0;
  for (let time = state.times[0]; time !== undefined && time <= now - windowMs; time = state.times[gone]) {
    state.total -= state.counts[gone] ?? 0;
    gone += 1;
  }
  if (gone === 0) return;
  state.times.splice(0, gone);
  state.counts.splice(0, gone);
}

/** Until so many are out of the window. */
function msUntilForgotten(state: SlidingLog, { windowMs }: Limit, now: number, wanted: number): number {
  let freed = 0;
  for (let index = 0; index < state.times.length; index++) {
    freed += state.counts[index] ?? 0;
    if (freed >= wanted && freed > 0) return Math.ceil((state.times[index] ?? now) + windowMs - now);
  }
  return 0;
}
