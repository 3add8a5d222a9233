import type { Algorithm } from './algorithm.js';

export interface FixedWindow {
  count: number;
  endsAt: number;
}

/** A window begins with its first request, as express-rate-limit counts. */
export const fixedWindow: Algorithm<FixedWindow> = {
  open: () => ({ count: 0, endsAt: -Infinity }),

  look(state, { capacity }, now, cost) {
    if (state.endsAt <= now) return { remaining: capacity, resetMs: 0, retryMs: 0, at: now };
    const resetMs = Math.ceil(state.endsAt - now);
    const fits = state.count + cost <= capacity;
    return { remaining: Math.max(0, capacity - state.count), resetMs, retryMs: fits ? 0 : resetMs, at: now };
  },

  charge(state, { capacity, windowMs }, now, cost) {
    // Of a fraction, `now + windowMs - now` may be a little more than the window.
    let resetMs = windowMs;
    if (state.endsAt <= now) {
      state.count = 0;
      state.endsAt = now + windowMs;
    } else {
      resetMs = Math.ceil(state.endsAt - now);
    }
    state.count += cost;
    return {
      remaining: Math.max(0, capacity - state.count),
      resetMs,
      retryMs: 0,
      at: now,
    };
  },

  refund(state, { windowMs }, now, cost, at) {
    const isSameWindow = at < state.endsAt && at + 1 > state.endsAt - windowMs;
    if (isSameWindow && now < state.endsAt) state.count = Math.max(0, state.count - cost);
  },

  endsAt: (state) => state.endsAt,
};
