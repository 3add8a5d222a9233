import { createBreaker } from './breaker.js';
import type { PostgresUnavailableError } from './errors.js';

/** What a guard does to the server that it stands for. */
export interface Guarded {
  /** Logs in on a connection of its own. Rejects when that cannot be done, or not in time. */
  probe(): Promise<void>;
  /** Hears that statements are let through no more, or again. */
  changed: (isOpen: boolean) => void;
}

/** Decides whether a server is asked, and finds out in the background when it is back. */
export interface Guard {
  /** Whether statements are refused. */
  readonly isOpen: boolean;
  /** Why, or what went wrong last. */
  readonly lastFailure: PostgresUnavailableError | undefined;
  /** When it last opened because the server was silent: connections from before may be dead. */
  readonly silentAt: number;
  /** The server has said something. */
  heard(): void;
  /** A connection broke, or could not be made. */
  failed(failure: PostgresUnavailableError): void;
  /** No answer for a while, which may mean a slow statement, or a server that is gone. */
  suspect: () => void;
  close(): void;
}

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** Slow statements are no reason to log in all the time. */
const SUSPECT_EVERY_MS = 2_000;

/**
 * No request is ever the one that tries whether Postgres is back: from the first failure on, one login at a time
 * does, with pauses that grow, until it is let in. A server that is silent is found out by the same means, since
 * one that is only slow still lets somebody in.
 */
export function createGuard(settings: { failures: number; windowMs: number }, server: Guarded): Guard {
  const breaker = createBreaker(settings.failures, settings.windowMs, server.changed);
  let timer: NodeJS.Timeout | undefined;
  let lastFailure: PostgresUnavailableError | undefined;
  let isAsking = false;
  let isInDoubt = false;
  let isClosed = false;
  let rounds = 0;
  /** How often the server has said anything. */
  let heard = 0;
  let askedAt = -Infinity;
  let silentAt = -Infinity;

  function ask(): void {
    if (isAsking || isClosed) return;
    clearTimeout(timer);
    isAsking = true;
    askedAt = performance.now();
    const heardBefore = heard;
    server.probe().then(isBack, (failure: PostgresUnavailableError) => isStillGone(failure, heardBefore));
  }

  function isBack(): void {
    isAsking = isInDoubt = false;
    rounds = 0;
    lastFailure = undefined;
    breaker.shut();
  }

  function isStillGone(failure: PostgresUnavailableError, heardBefore: number): void {
    isAsking = false;
    if (isClosed) return;
    const isSilent = failure.reason === 'timeout';
    if (isSilent && heard !== heardBefore && !breaker.isOpen) {
      // It answers others: far away, or busy with logins.
      isInDoubt = false;
      return;
    }
    lastFailure = failure;
    const now = performance.now();
    if (isSilent) {
      silentAt = now;
      breaker.open();
    } else {
      breaker.failed(now);
    }
    askLater();
  }

  function askLater(): void {
    isInDoubt = true;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** rounds, MAX_PAUSE_MS);
    rounds += 1;
    // Many processes do not do the same thing in step.
    timer = setTimeout(ask, pauseMs * (0.75 + Math.random() / 2)).unref();
  }

  return {
    get isOpen() {
      return breaker.isOpen;
    },
    get lastFailure() {
      return lastFailure;
    },
    get silentAt() {
      return silentAt;
    },
    heard() {
      heard += 1;
      breaker.succeeded();
    },
    failed(failure) {
      lastFailure = failure;
      breaker.failed(performance.now());
      if (!isInDoubt && !isAsking && !isClosed) askLater();
    },
    suspect() {
      if (isInDoubt || performance.now() - askedAt < SUSPECT_EVERY_MS) return;
      ask();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
