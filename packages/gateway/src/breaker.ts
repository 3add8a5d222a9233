import {
  circuitBreaker,
  CircuitState,
  CountBreaker,
  DelegateBackoff,
  handleWhenResult,
  isBrokenCircuitError,
  SamplingBreaker,
  type IBreaker,
} from 'cockatiel';

/** When the breaker of a server and route opens, and for how long. */
export interface BreakerOptions {
  /**
   * Opens when more than this share of the calls within `windowMs` failed. Above 0, below 1.
   * @default 0.5
   */
  failureRate?: number | undefined;
  /**
   * Length of the window, in milliseconds.
   * @default 10_000
   */
  windowMs?: number | undefined;
  /**
   * With fewer calls in the window, the rate opens nothing.
   * @default 20
   */
  minimumRequests?: number | undefined;
  /**
   * Opens, at any rate of calls, when this many of the last `ofRequests` failed.
   * @default 5
   */
  failures?: number | undefined;
  /** @default 10 */
  ofRequests?: number | undefined;
  /**
   * A call that takes longer counts as failed, though its answer is used. By default none does.
   */
  slowCallMs?: number | undefined;
  /**
   * How long it stays open at first, in milliseconds; twice as long after each probe that fails. Short at first, since one
   * that was started anew is back soon.
   * @default 1_000
   */
  openMs?: number | undefined;
  /** @default 30_000 */
  maxOpenMs?: number | undefined;
}

/** {@link BreakerOptions}, with the defaults. */
export interface BreakerSettings {
  failureRate: number;
  windowMs: number;
  minimumRequests: number;
  failures: number;
  ofRequests: number;
  slowCallMs: number;
  openMs: number;
  maxOpenMs: number;
}

/** `closed` lets everything through, `open` nothing, `half_open` one request, and another where that takes its time. */
export type BreakerStateName = 'closed' | 'open' | 'half_open';

/** What a call says about the server: it works, it does not, or nothing. */
export type Verdict = 'ok' | 'failed' | 'neutral';

/** Guards the calls of one route to one server. */
export interface Breaker {
  state(): BreakerStateName;
  /** Until when it lets no call through, in epoch milliseconds; 0 when it does. */
  blockedUntil(): number;
  /** Runs a call and counts its verdict. `undefined`: not run, the breaker is open. */
  run<Outcome extends { verdict: Verdict }>(call: () => Promise<Outcome>): Promise<Outcome | undefined>;
  /** Counts the verdict of a call that was begun while it was closed, without the cost of `run`. */
  count(verdict: Verdict): void;
}

/** How long callers are told to wait while the probe of a half-open breaker is under way. */
const PROBE_MS = 1_000;

/** @param onChange hears of every change of state */
export function createBreaker(
  settings: BreakerSettings,
  onChange: (state: BreakerStateName, previous: BreakerStateName) => void,
): Breaker {
  let openUntil = 0;
  /** Since it opened: they say nothing of the server, and so make no pause longer. */
  let neutralProbes = 0;
  const pauses = new DelegateBackoff(({ attempt }: { attempt: number }) => {
    // Up to a fifth shorter, so that many processes do not probe in step.
    const spread = 1 - Math.random() / 5;
    const pause = Math.min(settings.maxOpenMs, settings.openMs * 2 ** (attempt - 1 - neutralProbes)) * spread;
    // One more, since cockatiel reads the clock a moment later: what is let through here is let through there.
    openUntil = Date.now() + pause + 1;
    return pause;
  });
  const counts = rateOrCount(settings);
  const policy = circuitBreaker(
    handleWhenResult((outcome) => (outcome as { verdict: Verdict }).verdict !== 'ok'),
    { breaker: counts, halfOpenAfter: pauses },
  );

  let current: BreakerStateName = 'closed';
  policy.onStateChange((state) => {
    const previous = current;
    current = STATES[state];
    if (current === 'closed') neutralProbes = 0;
    if (current !== previous) onChange(current, previous);
  });

  let probes: Probes | undefined;

  /** A probe may be a long poll, and take its time on a server that is well. */
  function isProbeDue(): boolean {
    if (probes === undefined) return false;
    // Or it hangs, and so do the callers that are let through.
    const waitMs = Math.min(settings.maxOpenMs, settings.openMs * 2 ** (probes.count - 1));
    return Date.now() - probes.lastAt >= waitMs;
  }

  async function probe<Outcome extends { verdict: Verdict }>(
    call: () => Promise<Outcome>,
  ): Promise<Outcome | undefined> {
    const begun = new Probes();
    let first: Promise<Outcome> | undefined;
    begun.decided = policy
      // Called at once where it is time to probe.
      .execute(async () => {
        probes = begun;
        first = begun.run(call);
        const told = await begun.verdict;
        // It leaves it open, but makes no pause longer.
        if (told.verdict === 'neutral') neutralProbes += 1;
        return told;
      })
      .catch((error: unknown) => {
        if (!isBrokenCircuitError(error)) throw error;
      });
    return first;
  }

  async function guard<Outcome extends { verdict: Verdict }>(call: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await policy.execute(async () => {
        const outcome = await call();
        // Thrown, since cockatiel counts every value.
        if (outcome.verdict === 'neutral') throw new NotCounted(outcome);
        return outcome;
      });
    } catch (error) {
      if (error instanceof NotCounted) return error.outcome as Outcome;
      throw error;
    }
  }

  return {
    state: () => current,
    blockedUntil() {
      if (current === 'closed') return 0;
      if (current === 'half_open') return isProbeDue() ? 0 : Date.now() + PROBE_MS;
      return Date.now() < openUntil ? openUntil : 0;
    },
    count(verdict) {
      // What began before it opened says nothing of the time after.
      if (current !== 'closed') return;
      if (verdict === 'ok') counts.success(CircuitState.Closed);
      else if (verdict === 'failed') void policy.execute(() => FAILED);
    },
    async run<Outcome extends { verdict: Verdict }>(
      call: () => Promise<Outcome>,
    ): Promise<Outcome | undefined> {
      // A second call would wait for the probe; the caller has better places to go.
      if (current === 'half_open') return isProbeDue() ? probes?.run(call) : undefined;
      return current === 'open' ? probe(call) : guard(call);
    },
  };
}

/** Calls that probe a breaker at the same time. The first that says anything of the server decides. */
class Probes {
  readonly verdict: Promise<{ verdict: Verdict }>;
  /** Settles once the breaker has drawn its conclusion. */
  decided: Promise<unknown> | undefined = undefined;
  lastAt = 0;
  count = 0;
  private underWay = 0;
  private tell: (told: { verdict: Verdict }) => void = () => undefined;
  private isTold = false;

  constructor() {
    this.verdict = new Promise((resolve) => {
      this.tell = resolve;
    });
  }

  /** Resolves with what came of the call, and not before the breaker knows where that decides. */
  async run<Outcome extends { verdict: Verdict }>(call: () => Promise<Outcome>): Promise<Outcome> {
    this.underWay += 1;
    this.count += 1;
    this.lastAt = Date.now();
    const outcome = await call();
    this.underWay -= 1;
    const { verdict } = outcome;
    if (!this.isTold && (verdict !== 'neutral' || this.underWay === 0)) {
      this.isTold = true;
      this.tell({ verdict });
      await this.decided;
    }
    return outcome;
  }
}

const STATES: Readonly<Record<CircuitState, BreakerStateName>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
};

const FAILED: { verdict: Verdict } = { verdict: 'failed' };

class NotCounted extends Error {
  readonly outcome: unknown;

  constructor(outcome: unknown) {
    super('not counted');
    this.outcome = outcome;
  }
}

/** Opens by whichever speaks first: the rate sees a busy server fail in part, the count a quiet one fail. */
function rateOrCount(settings: BreakerSettings): IBreaker {
  let rate = rateBreaker(settings);
  let count = countBreaker(settings);
  let lastCallAt = Date.now();

  function noteCall(): void {
    const now = Date.now();
    // SamplingBreaker drops at most one slot a call, so that a pause would leave old calls in its window.
    if (now - lastCallAt > settings.windowMs) rate = rateBreaker(settings);
    lastCallAt = now;
  }

  return {
    state: undefined,
    success(state) {
      noteCall();
      if (state === CircuitState.HalfOpen) count = countBreaker(settings);
      rate.success(state);
      count.success(state);
    },
    failure(state) {
      noteCall();
      const byRate = rate.failure(state);
      const byCount = count.failure(state);
      return byRate || byCount;
    },
  };
}

function rateBreaker({ failureRate, windowMs, minimumRequests }: BreakerSettings): IBreaker {
  return new SamplingBreaker({
    threshold: failureRate,
    duration: windowMs,
    minimumRps: minimumRequests / (windowMs / 1_000),
  });
}

function countBreaker({ failures, ofRequests }: BreakerSettings): IBreaker {
  const breaker = new CountBreaker({ threshold: (failures - 0.5) / ofRequests, size: ofRequests });
  // As if all had gone well before the first call: "5 of the last 10" then needs no ten calls to be heard.
  for (let call = 0; call < ofRequests; call += 1) breaker.success(CircuitState.Closed);
  return breaker;
}
