/** A clock that stands still until the test moves it. */
export interface TestClock {
  /** The time on the clock, in milliseconds. */
  readonly now: () => number;
  /**
   * Moves the clock and calls, in order of their time, the timers that come due, also those that a
   * timer sets on the way.
   *
   * @throws {TypeError} when `ms` is not a number of at least 0
   */
  readonly advance: (ms: number) => void;
  /** As `advance`, and lets promises settle before and after each timer. */
  readonly advanceAsync: (ms: number) => Promise<void>;
  readonly setTimeout: (callback: () => void, ms?: number) => ClockTimer;
  readonly setInterval: (callback: () => void, ms?: number) => ClockTimer;
  readonly clearTimeout: (timer: ClockTimer | undefined) => void;
  readonly clearInterval: (timer: ClockTimer | undefined) => void;
  /** Timers that wait to be called: 0 once everything is closed. */
  readonly pending: number;
}

/** What a clock's `setTimeout` returns: as much of Node's Timeout as code calls on it. */
export interface ClockTimer {
  ref(): this;
  unref(): this;
  hasRef(): boolean;
  /** Starts the wait again from now. */
  refresh(): this;
  close(): this;
}

interface Timer extends ClockTimer {
  dueMs: number;
  callback: () => void;
  everyMs: number | undefined;
}

/**
 * A clock to hand to what takes `now` and timers.
 *
 * @param startMs what it shows first, in milliseconds
 * @throws {TypeError} when `startMs` is not a finite number
 *
 * @example
 * const clock = testClock();
 * const store = memoryStore({ now: clock.now });
 * clock.advance(60_000);
 */
export function testClock(startMs: number = 0): TestClock {
  if (!Number.isFinite(startMs)) {
    throw new TypeError(`testClock: "startMs" must be a finite number, got ${String(startMs)}`);
  }
  const timers = new Set<Timer>();
  let nowMs = startMs;

  const add = (callback: () => void, ms: number, repeats: boolean): ClockTimer => {
    // Node, too, waits at least one millisecond.
    const delayMs = ms >= 1 ? ms : 1;
    let isRef = true;
    let isClosed = false;
    const timer: Timer = {
      dueMs: nowMs + delayMs,
      callback,
      everyMs: repeats ? delayMs : undefined,
      ref() {
        isRef = true;
        return this;
      },
      unref() {
        isRef = false;
        return this;
      },
      hasRef: () => isRef,
      refresh() {
        // As in Node: what was cleared is not begun again.
        if (isClosed) return this;
        this.dueMs = nowMs + delayMs;
        // At the end again: among timers of one time the oldest wait goes first.
        timers.delete(this);
        timers.add(this);
        return this;
      },
      close() {
        isClosed = true;
        timers.delete(this);
        return this;
      },
    };
    timers.add(timer);
    return timer;
  };

  const fireNext = (untilMs: number): boolean => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    if (next === undefined) return false;
    nowMs = Math.max(nowMs, next.dueMs);
    if (next.everyMs === undefined) timers.delete(next);
    else next.dueMs += next.everyMs;
    next.callback();
    return true;
  };

  return {
    now: () => nowMs,
    advance(ms) {
      const untilMs = nowMs + requireDuration(ms);
      while (fireNext(untilMs));
      nowMs = untilMs;
    },
    async advanceAsync(ms) {
      const untilMs = nowMs + requireDuration(ms);
      await settled();
      while (fireNext(untilMs)) await settled();
      nowMs = untilMs;
    },
    setTimeout: (callback, ms = 0) => add(callback, ms, false),
    setInterval: (callback, ms = 0) => add(callback, ms, true),
    clearTimeout: clear,
    clearInterval: clear,
    get pending() {
      return timers.size;
    },
  };
}

function clear(timer: ClockTimer | undefined): void {
  timer?.close();
}

/** One turn of the event loop: every promise that can settle without I/O has. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function requireDuration(ms: number): number {
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new TypeError(`testClock: "ms" must be a number of at least 0, got ${String(ms)}`);
}
