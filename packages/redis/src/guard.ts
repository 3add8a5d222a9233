import { signals } from '@signalbox/signals';
import { createBreaker } from './breaker.js';
import { RedisReplyError } from './errors.js';
import { jittered } from './jitter.js';

export interface GuardSettings {
  failures: number;
  windowMs: number;
  /** How long PINGs may go unanswered until the connection is made anew, in milliseconds. */
  silenceMs: number;
}

/** What a guard does to the server that it stands for. */
export interface Guarded {
  /**
   * Sends a PING with the text, which is its answer. Rejects when none came within the deadline, or there
   * is no connection; an answer after that goes to `late`.
   */
  ping(text: string, late: (answer: string) => void): Promise<unknown>;
  /** Makes the connection anew: it delivers nothing, or not what was asked. */
  reconnect(): void;
  /** Hears that commands are let through no more, or again. */
  changed: (isOpen: boolean) => void;
}

/** Decides whether commands are sent to a server, and finds out in the background when it is back. */
export interface Guard {
  /** Whether commands are refused. */
  readonly isOpen: boolean;
  /** A command was answered in time. */
  succeeded: () => void;
  /** A command ran out of time, or its connection broke. */
  failed(): void;
  /** There is a new connection: asks at once, if anything is in doubt. */
  connected: () => void;
  close(): void;
}

/** Says it where the breakers of upstreams are heard, too. */
export function publishBreaker(link: string, server: string | undefined, isOpen: boolean): void {
  const [state, previous] = isOpen ? (['open', 'closed'] as const) : (['closed', 'open'] as const);
  signals.breakerState.publish({ upstream: link, server, route: 'redis', state, previous });
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 320;

/**
 * No request is ever the one that tries whether Redis is back: from the first failure on, one PING at a
 * time asks, with pauses that grow, until one is answered in time.
 */
export function createGuard(settings: GuardSettings, server: Guarded): Guard {
  const breaker = createBreaker(settings.failures, settings.windowMs, server.changed);
  let timer: NodeJS.Timeout | undefined;
  let isAsking = false;
  let isInDoubt = false;
  let isClosed = false;
  let asked = 0;
  let rounds = 0;
  /** Since when there is a PING without an answer, and none that had one. */
  let silentSince: number | undefined;

  function ask(): void {
    if (isAsking || isClosed) return;
    clearTimeout(timer);
    isAsking = true;
    asked += 1;
    silentSince ??= performance.now();
    const text = String(asked);
    const late = (answer: string): void => {
      // Slow, but it works: another connection would be no faster.
      if (answer === text) silentSince = undefined;
      else reconnect();
    };
    server.ping(text, late).then((answer) => (answer === text ? isBack() : isOutOfStep()), isStillGone);
  }

  function isBack(): void {
    isAsking = isInDoubt = false;
    rounds = 0;
    silentSince = undefined;
    breaker.shut();
  }

  /** Some answer got lost on the way, and each command has the answer of another since. */
  function isOutOfStep(): void {
    reconnect();
    isStillGone();
  }

  function isStillGone(error?: unknown): void {
    // A user of Redis who may not send PING has an answer all the same.
    if (error instanceof RedisReplyError) {
      isBack();
      return;
    }
    isAsking = false;
    if (isClosed) return;
    const now = performance.now();
    breaker.failed(now);
    if (silentSince !== undefined && now - silentSince >= settings.silenceMs) reconnect();
    timer = setTimeout(ask, jittered(Math.min(FIRST_PAUSE_MS * 2 ** rounds, MAX_PAUSE_MS))).unref();
    rounds += 1;
  }

  function reconnect(): void {
    silentSince = undefined;
    if (!isClosed) server.reconnect();
  }

  return {
    get isOpen() {
      return breaker.isOpen;
    },
    succeeded: breaker.succeeded,
    failed() {
      breaker.failed(performance.now());
      if (isInDoubt) return;
      isInDoubt = true;
      ask();
    },
    connected() {
      silentSince = undefined;
      rounds = 0;
      if (isInDoubt) ask();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
