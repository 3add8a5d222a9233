import { outsideRequests } from '@signalbox/context';
import type { ProxySettings } from './proxy-options.js';
import type { Targets } from './proxy-targets.js';

/** Something that takes its time, and has limits to it. */
export interface Watched {
  next: Watched | undefined;
  previous: Watched | undefined;
  /** @param now on the clock of `performance.now()` */
  inspect(now: number): void;
}

/**
 * Looks at all that is under way from time to time: one timer for all of them, where a timer each would
 * cost more than the rest of their bookkeeping. What is watched is linked to its neighbours.
 */
export interface Watch {
  add(watched: Watched): void;
  remove(watched: Watched): void;
  forEach(visit: (watched: Watched) => void): void;
}

/** What all requests of a proxy share. */
export interface ProxyCore {
  readonly settings: ProxySettings;
  readonly targets: Targets;
  readonly watch: Watch;
}

const SHORTEST_TICK_MS = 5;
const LONGEST_TICK_MS = 1_000;

/** @param shortestMs the shortest time limit; it is kept to about an eighth of it */
export function createWatch(shortestMs: number): Watch {
  const tickMs = Math.min(LONGEST_TICK_MS, Math.max(SHORTEST_TICK_MS, shortestMs / 8));
  let first: Watched | undefined;
  let timer: NodeJS.Timeout | undefined;

  function forEach(visit: (watched: Watched) => void): void {
    for (let each = first; each !== undefined; ) {
      // It may take itself out.
      const { next } = each;
      visit(each);
      each = next;
    }
  }

  function tick(): void {
    if (first === undefined) {
      clearInterval(timer);
      timer = undefined;
      return;
    }
    const now = performance.now();
    forEach((watched) => watched.inspect(now));
  }

  return {
    add(watched) {
      watched.next = first;
      if (first !== undefined) first.previous = watched;
      first = watched;
      // What has come is read first: where the app's own work took long, timers are due before any socket is looked at.
      timer ??= outsideRequests(() => setInterval(setImmediate, tickMs, tick).unref());
    },
    remove(watched) {
      const { next, previous } = watched;
      if (previous !== undefined) previous.next = next;
      else if (first === watched) first = next;
      if (next !== undefined) next.previous = previous;
      watched.next = undefined;
      watched.previous = undefined;
    },
    forEach,
  };
}
