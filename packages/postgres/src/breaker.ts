/** Counts failures in a row. Knows no clock and no server: it is told. */
export interface Breaker {
  readonly isOpen: boolean;
  /** Failures in a row until now. */
  readonly failures: number;
  succeeded: () => void;
  /** @param now milliseconds, on any clock that does not go back */
  failed(now: number): void;
  /** Opens it at once, on better evidence than failures. */
  open(): void;
  /** Lets statements through again. */
  shut(): void;
}

/**
 * Opens when `failures` attempts in a row failed within `windowMs`. Only `shut()` closes it: what was sent
 * before it opened, and succeeds, says nothing of now.
 *
 * @param changed hears of each change
 */
export function createBreaker(
  failures: number,
  windowMs: number,
  changed: (isOpen: boolean) => void,
): Breaker {
  /** When the last failures happened, in a ring. */
  const times = new Float64Array(failures);
  let count = 0;
  let isOpen = false;

  function open(): void {
    if (isOpen) return;
    isOpen = true;
    changed(true);
  }

  return {
    get isOpen() {
      return isOpen;
    },
    get failures() {
      return count;
    },
    succeeded() {
      if (count !== 0 && !isOpen) count = 0;
    },
    failed(now) {
      times[count % failures] = now;
      count += 1;
      if (isOpen || count < failures) return;
      const oldest = times[count % failures] ?? now;
      if (now - oldest <= windowMs) open();
    },
    open,
    shut() {
      count = 0;
      if (!isOpen) return;
      isOpen = false;
      changed(false);
    },
  };
}
