import { signals } from '@signalbox/signals';
import { failure, type Outcome, readResult } from './check-result.js';
import type { Check } from './check.js';
import { safeMessage } from './safe-message.js';

/** How a check stands; `unknown` until it has run. */
export type CheckStatus = 'unknown' | 'healthy' | 'degraded' | 'unhealthy';

/** How many runs a check remembers. */
const MAX_HISTORY = 20;

/** What is known of a check: written by its runner, read by the probes. Times are epoch milliseconds. */
export interface CheckState {
  readonly check: Check;
  status: CheckStatus;
  statusSince: number;
  checkedAt: number | undefined;
  latencyMs: number | undefined;
  lastSuccessAt: number | undefined;
  lastError: { readonly message: string; readonly at: number } | undefined;
  consecutiveFailures: number;
  /** JSON text. */
  details: string | undefined;
  /** The oldest first. */
  history: { readonly at: number; readonly status: Outcome['status']; readonly latencyMs: number }[];
}

export interface CheckRunner {
  readonly state: CheckState;
  /** Stops; aborts a run that is under way. */
  close(): void;
}

interface Run {
  readonly startedAt: number;
  readonly control: AbortController;
  readonly timeout: NodeJS.Timeout;
}

/**
 * Runs a check in the background, one run at a time, for as long as it is not closed.
 *
 * A run that takes longer than `timeoutMs` is aborted and counts as a failure. While it does not
 * settle, no other is started, and every `everyMs` counts as another failure: a dependency that hangs
 * is asked once, however long it hangs.
 *
 * @param onChange called after the status has changed
 */
export function startCheck(check: Check, onChange: () => void): CheckRunner {
  const state = newState(check);
  let running: Run | undefined;
  let successes = 0;
  let isClosed = false;
  // Not in this turn: the caller may still be building what the check looks at.
  let pause = setTimeout(begin, 0).unref();

  function begin(): void {
    if (running !== undefined) {
      const waitedMs = Math.round(performance.now() - running.startedAt);
      conclude(failure(new Error(`has not answered for ${waitedMs} ms`)), waitedMs);
      return;
    }
    const run: Run = {
      startedAt: performance.now(),
      control: new AbortController(),
      timeout: setTimeout(() => abandon(run), check.timeoutMs).unref(),
    };
    running = run;
    call(check, run.control.signal).then(
      (outcome) => finish(run, outcome),
      (error: unknown) => finish(run, failure(error)),
    );
  }

  function abandon(run: Run): void {
    const error = new DOMException(`timed out after ${check.timeoutMs} ms`, 'TimeoutError');
    conclude(failure(error), performance.now() - run.startedAt);
    // Last: what the check does about it comes too late to be the result.
    run.control.abort(error);
  }

  function finish(run: Run, outcome: Outcome): void {
    clearTimeout(run.timeout);
    running = undefined;
    if (!run.control.signal.aborted) conclude(outcome, performance.now() - run.startedAt);
  }

  function conclude(outcome: Outcome, latencyMs: number): void {
    if (isClosed) return;
    const previous = state.status;
    const failed = outcome.status === 'unhealthy';
    successes = failed ? 0 : successes + 1;
    remember(state, outcome, latencyMs);
    state.status = nextStatus(state, outcome.status, successes);

    const isSteady = failed === (state.status === 'unhealthy');
    pause = setTimeout(begin, jittered(isSteady ? check.everyMs : check.everyMs / 5)).unref();
    if (state.status === previous) return;

    state.statusSince = Date.now();
    onChange();
    if (!signals.healthChanged.hasSubscribers) return;
    const { status } = state;
    if (status === 'unknown') return;
    signals.healthChanged.publish({
      check: check.name,
      critical: check.critical,
      status,
      previous,
      error: outcome.error,
    });
  }

  return {
    state,
    close() {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(pause);
      if (running !== undefined) {
        clearTimeout(running.timeout);
        running.control.abort(new DOMException('the health checks were closed', 'AbortError'));
      }
      check.run.close?.();
    },
  };
}

// Async, so that a check that throws before its first await is a rejection like any other, and so is a result that
// throws when it is read.
async function call(check: Check, signal: AbortSignal): Promise<Outcome> {
  return readResult(await check.run(signal));
}

/** Hysteresis: one result against the status does not change it, unless so configured. */
function nextStatus(state: CheckState, result: Outcome['status'], successes: number): CheckStatus {
  const { failuresToFall, successesToRise } = state.check;
  if (result === 'unhealthy') {
    return state.consecutiveFailures >= failuresToFall ? 'unhealthy' : state.status;
  }
  return state.status === 'unhealthy' && successes < successesToRise ? 'unhealthy' : result;
}

function remember(state: CheckState, outcome: Outcome, latencyMs: number): void {
  const at = Date.now();
  const rounded = Math.round(latencyMs * 10) / 10;
  state.checkedAt = at;
  state.latencyMs = rounded;
  state.details = outcome.details;
  if (outcome.status === 'unhealthy') {
    state.consecutiveFailures += 1;
  } else {
    state.consecutiveFailures = 0;
    state.lastSuccessAt = at;
  }
  if (outcome.error !== undefined) state.lastError = { message: safeMessage(outcome.error), at };

  state.history.push({ at, status: outcome.status, latencyMs: rounded });
  if (state.history.length > MAX_HISTORY) state.history.shift();
}

/** Checks of many processes, started together, shall not stay in step. */
function jittered(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}

function newState(check: Check): CheckState {
  return {
    check,
    status: 'unknown',
    statusSince: Date.now(),
    checkedAt: undefined,
    latencyMs: undefined,
    lastSuccessAt: undefined,
    lastError: undefined,
    consecutiveFailures: 0,
    details: undefined,
    history: [],
  };
}
