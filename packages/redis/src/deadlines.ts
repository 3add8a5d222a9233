/** Something that has to be done within a time that is the same for all. */
export interface Timed {
  /** When it was sent, on the clock of `performance.now()`; `Infinity` until then. */
  sentAt: number;
  previous: Timed | undefined;
  next: Timed | undefined;
}

/** Keeps what is outstanding in the order it was sent, with one timer for all. */
export interface Deadlines<Item extends Timed> {
  add(item: Item): void;
  remove(item: Item): void;
  /** What was added since the last time has been sent now. */
  sent(now: number): void;
  /** Takes out all that is left and hands it over. */
  drain(each: (item: Item) => void): void;
}

/**
 * One deadline for every item makes the items expire in order: it takes one timer, which is set for the
 * oldest, and no search.
 *
 * A timer that is due after the event loop stood still says nothing about Redis: its answers may lie in the
 * socket, unread. So the timer only takes down the time, and what is still unanswered after the next poll
 * for input has expired.
 */
export function createDeadlines<Item extends Timed>(
  deadlineMs: number,
  expired: (item: Item) => void,
): Deadlines<Item> {
  let first: Timed | undefined;
  let last: Timed | undefined;
  let unsent: Timed | undefined;
  /** Whether a timer, or the look after it, will come. */
  let isArmed = false;

  function remove(item: Timed): void {
    const { previous, next } = item;
    if (previous === undefined && first !== item) return;
    if (unsent === item) unsent = next;
    if (previous === undefined) first = next;
    else previous.next = next;
    if (next === undefined) last = previous;
    else next.previous = previous;
    item.previous = item.next = undefined;
  }

  function arm(ms: number): void {
    isArmed = true;
    // Whoever waits for an answer is kept alive by the socket that it comes from.
    setTimeout(onTimer, Math.max(1, Math.ceil(ms))).unref();
  }

  function onTimer(): void {
    const now = performance.now();
    const leftMs = first === undefined ? undefined : leftFor(first, now);
    if (leftMs === undefined) isArmed = false;
    else if (leftMs > 0) arm(leftMs);
    else setImmediate(expireBefore, now - deadlineMs);
  }

  function expireBefore(time: number): void {
    while (first !== undefined && first.sentAt <= time) {
      const item = first;
      remove(item);
      expired(item as Item);
    }
    if (first === undefined) isArmed = false;
    else arm(leftFor(first, performance.now()));
  }

  function leftFor(item: Timed, now: number): number {
    return item.sentAt === Infinity ? deadlineMs : item.sentAt + deadlineMs - now;
  }

  return {
    add(item) {
      item.sentAt = Infinity;
      item.previous = last;
      item.next = undefined;
      if (last === undefined) first = item;
      else last.next = item;
      last = item;
      unsent ??= item;
      if (!isArmed) arm(deadlineMs);
    },
    remove,
    sent(now) {
      for (let item = unsent; item !== undefined; item = item.next) item.sentAt = now;
      unsent = undefined;
    },
    drain(each) {
      while (first !== undefined) {
        const item = first;
        remove(item);
        each(item as Item);
      }
    },
  };
}
