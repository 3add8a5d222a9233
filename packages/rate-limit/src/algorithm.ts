import type { Limit } from './limit.js';

/** How a caller stands with a limit. */
export interface Standing {
  /** What may still come at once. */
  readonly remaining: number;
  /** Milliseconds until all of it may come again. */
  readonly resetMs: number;
  /** 0 where the request fits; else how many milliseconds until it would. */
  readonly retryMs: number;
  /** When that was, in milliseconds on the store's own clock. */
  readonly at: number;
}

/**
 * A way of counting, as functions of a state and a time: what the script in Redis computes, in TypeScript. Times
 * are in milliseconds. A cost is above 0 and never above the limit's capacity, so that it fits at some time.
 */
export interface Algorithm<State> {
  /** The state of a caller who has not come yet. */
  open(): State;
  /** How the caller would stand; changes nothing. */
  look(state: State, limit: Limit, now: number, cost: number): Standing;
  /** Counts the request, which was seen to fit. */
  charge(state: State, limit: Limit, now: number, cost: number): Standing;
  /** Takes back what was charged at `at`, as far as it still counts. */
  refund(state: State, limit: Limit, now: number, cost: number, at: number): void;
  /** From when on the state says nothing that an open one would not. */
  endsAt(state: State, limit: Limit): number;
}
