import type { Call } from './call.js';

/** Looks after everything that is waited for, with one timer for all of it. */
export interface Watch {
  add(call: Call): void;
  remove(call: Call): void;
}

/** What a watch tells. */
export interface WatchListener {
  /** Whoever waited for it has gone away. */
  aborted(call: Call, signal: AbortSignal): void;
  /** Its time is up. */
  expired(call: Call): void;
  /** Something has been waited for for so long that the server may be gone. */
  suspicious(): void;
  /** Whether there is no hope for something that has no limit. */
  isHopeless(call: Call): boolean;
}

/**
 * How often it looks, in milliseconds. Most queries are over before it looks at them once: they cost neither a
 * timer nor a listener on a signal.
 */
const TICK_MS = 20;
const SUSPICIOUS_MS = 1_000;

export function createWatch(listener: WatchListener): Watch {
  /** In the order in which they came. */
  let first: Call | undefined;
  let last: Call | undefined;
  let isTicking = false;

  function tick(): void {
    isTicking = false;
    const now = performance.now();
    let isSuspicious = false;
    let call = first;
    while (call !== undefined) {
      const { next } = call;
      const signal = call.abortedBy();
      if (signal !== undefined) listener.aborted(call, signal);
      // What has arrived while the event loop stood still is read first.
      else if (now >= call.limitAt) setImmediate(expire, call);
      else if (call.kind !== 'hold' || call.sentAt === 0) {
        if (call.limitAt === Infinity && listener.isHopeless(call)) listener.expired(call);
        isSuspicious ||= now - (call.sentAt || call.startedAt) >= SUSPICIOUS_MS;
      }
      call = next;
    }
    if (isSuspicious) listener.suspicious();
    if (first !== undefined) start();
  }

  function expire(call: Call): void {
    // It may have got its connection, and with it more time.
    if (call.isWatched && performance.now() >= call.limitAt) listener.expired(call);
  }

  function start(): void {
    if (isTicking) return;
    isTicking = true;
    setTimeout(tick, TICK_MS);
  }

  return {
    add(call) {
      call.isWatched = true;
      call.previous = last;
      if (last === undefined) first = call;
      else last.next = call;
      last = call;
      if (!isTicking) start();
    },
    remove(call) {
      if (!call.isWatched) return;
      call.isWatched = false;
      if (call.previous === undefined) first = call.next;
      else call.previous.next = call.next;
      if (call.next === undefined) last = call.previous;
      else call.next.previous = call.previous;
      call.previous = call.next = undefined;
    },
  };
}
