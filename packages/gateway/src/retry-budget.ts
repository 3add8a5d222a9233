/** How many retries an upstream may be burdened with. */
export interface RetryBudgetOptions {
  /**
   * Retries allowed per request, over the window.
   * @default 0.2
   */
  ratio?: number | undefined;
  /**
   * Retries a second that are allowed at any rate of requests, so that quiet times have some too.
   * @default 1
   */
  minPerSecond?: number | undefined;
  /**
   * Length of the sliding window, in milliseconds.
   * @default 10_000
   */
  windowMs?: number | undefined;
}

/** Counts requests and retries of one upstream. */
export interface RetryBudget {
  /** A request came; it pays for a part of a retry. */
  deposit(): void;
  /** Takes one retry, or returns false when it would be one too many. */
  withdraw(): boolean;
  /** What the window holds at present. */
  state(): { requests: number; retries: number; allowed: number };
}

/** The window slides by a tenth of its length. */
const SLOTS = 10;

/**
 * Bounds retries to a share of the requests: when everything fails, an upstream in trouble gets a
 * fifth more load rather than a multiple.
 *
 * @param now clock in milliseconds that never goes back
 */
export function retryBudget(
  { ratio, minPerSecond, windowMs }: { ratio: number; minPerSecond: number; windowMs: number },
  now: () => number = () => performance.now(),
): RetryBudget {
  const slotMs = windowMs / SLOTS;
  const minimum = (minPerSecond * windowMs) / 1_000;
  const requests = new Float64Array(SLOTS);
  const retries = new Float64Array(SLOTS);
  let newest = Math.floor(now() / slotMs);

  function currentSlot(): number {
    const slot = Math.floor(now() / slotMs);
    for (let stale = Math.max(newest + 1, slot - SLOTS + 1); stale <= slot; stale += 1) {
      requests[stale % SLOTS] = 0;
      retries[stale % SLOTS] = 0;
    }
    newest = Math.max(newest, slot);
    return newest % SLOTS;
  }

  function state(): { requests: number; retries: number; allowed: number } {
    currentSlot();
    const asked = total(requests);
    return { requests: asked, retries: total(retries), allowed: asked * ratio + minimum };
  }

  return {
    deposit() {
      const slot = currentSlot();
      requests[slot] = (requests[slot] ?? 0) + 1;
    },
    withdraw() {
      const window = state();
      if (window.retries + 1 > window.allowed) return false;
      const slot = currentSlot();
      retries[slot] = (retries[slot] ?? 0) + 1;
      return true;
    },
    state,
  };
}

function total(slots: Float64Array): number {
  let sum = 0;
  for (const count of slots) sum += count;
  return sum;
}
