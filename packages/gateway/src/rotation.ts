import type { Verdict } from './breaker.js';
import type { UpstreamSettings } from './options.js';

/** Whether a server is in the rotation: ejected by its failures or health checks, or resting by its own wish. */
export interface Rotation {
  readonly isIn: boolean;
  /** Whether it is out, with nobody trying it and no wish of its own to be left alone. */
  readonly isPaused: boolean;
  /** Until when it should not be called, in epoch milliseconds; 0 when it may be. */
  blockedUntil(): number;
  /** A call begins; the returned function tells what it showed: at its end, or before. */
  begin(): (verdict: Verdict, isOver: boolean) => void;
  /** The server asked to be left alone for a time. */
  rest(ms: number): void;
  /** A health check passed, or did not. */
  checked(error: Error | undefined): void;
  state(): RotationReport;
}

export interface RotationReport {
  /** `resting`: it said `Retry-After`. */
  state: 'in' | 'ejected' | 'resting';
  /** When it may be tried again, in epoch milliseconds; `undefined` when it may be now. */
  until: number | undefined;
  consecutiveFailures: number;
  /** Outcome of the last health check, `undefined` before the first. */
  healthy: boolean | undefined;
  lastHealthError: string | undefined;
}

/** Tells how long to wait for a trial that another request has begun. */
const TRIAL_MS = 1_000;

/** @param onChange hears when the server goes out and comes back */
export function createRotation(
  { ejection, health }: UpstreamSettings,
  isLast: () => boolean,
  onChange: (state: 'in' | 'ejected') => void,
): Rotation {
  const outAfterChecksMs = Math.max(ejection?.pauseMs ?? 0, 2 * (health.everyMs ?? 5_000));
  let failures = 0;
  let failedChecks = 0;
  let lastCheck: { error: Error | undefined } | undefined;
  let restUntil = 0;
  /** 0: it is in. In the past: it is out, and may be tried. */
  let outUntil = 0;
  let ejections = 0;
  /** Counts ejections and returns, so that calls that began before one say nothing after it. */
  let era = 0;
  /** Calls under way that began while it was out. Those from before may last, as event streams do. */
  let trials = 0;

  function takeOut(pauseMs: number): void {
    const wasIn = outUntil === 0;
    outUntil = Math.max(outUntil, Date.now() + pauseMs);
    era += 1;
    trials = 0;
    if (wasIn) onChange('ejected');
  }

  function putBack(): void {
    outUntil = 0;
    ejections = 0;
    failures = 0;
    era += 1;
    trials = 0;
    onChange('in');
  }

  /** @param isEarly whether it was tried before its time, for want of another: that makes its pause no longer */
  function failed(isEarly: boolean): void {
    failures += 1;
    if (ejection === undefined || isEarly) return;
    const isTrial = outUntil > 0;
    if (!isTrial && (failures < ejection.failures || isLast())) return;
    takeOut(Math.min(ejection.maxPauseMs, ejection.pauseMs * 2 ** ejections));
    ejections += 1;
  }

  function blockedUntil(): number {
    const now = Date.now();
    if (outUntil > now) return outUntil;
    // The pause is over: one request at a time, until one went well.
    if (outUntil > 0 && trials > 0) return now + TRIAL_MS;
    return restUntil > now ? restUntil : 0;
  }

  return {
    get isIn() {
      return outUntil === 0;
    },
    get isPaused() {
      return outUntil > 0 && trials === 0 && restUntil <= Date.now();
    },
    blockedUntil,
    begin() {
      const begunIn = era;
      const isTrial = outUntil > 0;
      const isEarly = outUntil > Date.now();
      if (isTrial) trials += 1;
      return (verdict, isOver) => {
        if (begunIn !== era) return;
        if (!isOver) {
          if (isTrial && verdict === 'ok') putBack();
          return;
        }
        if (isTrial) trials -= 1;
        if (verdict === 'failed') failed(isEarly);
        else if (verdict === 'ok' && outUntil > 0) putBack();
        else if (verdict === 'ok') failures = 0;
      };
    },
    rest(ms) {
      restUntil = Math.max(restUntil, Date.now() + ms);
    },
    checked(error) {
      lastCheck = { error };
      if (error === undefined) {
        failedChecks = 0;
        if (outUntil > 0) putBack();
        return;
      }
      failedChecks += 1;
      const isTolerated = failedChecks < health.failures || (outUntil === 0 && isLast());
      // Further checks that fail prolong it; should nobody check any more, a request tries the server.
      if (!isTolerated) takeOut(outAfterChecksMs);
    },
    state() {
      const until = blockedUntil();
      return {
        state: outUntil > 0 ? 'ejected' : until > 0 ? 'resting' : 'in',
        until: until > 0 ? Math.round(until) : undefined,
        consecutiveFailures: failures,
        healthy: lastCheck === undefined ? undefined : lastCheck.error === undefined,
        lastHealthError: lastCheck?.error?.message,
      };
    },
  };
}
