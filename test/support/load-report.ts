/** What became of one request. Times are in milliseconds, `startMs` since the start of the load. */
export interface LoadResult {
  /** Its number, from 0. */
  readonly n: number;
  readonly startMs: number;
  /** To the end of the body, or to the failure. */
  readonly durationMs: number;
  readonly status: number | undefined;
  /** Why there is no whole answer: the error's code, such as `ECONNRESET`, or `timeout`. */
  readonly error: string | undefined;
}

/** What can be asked of the results, also while more come in. A time span is of when requests began. */
export interface LoadReport {
  /** In the order in which the requests ended. */
  readonly results: readonly LoadResult[];
  /** Those that began from `fromMs` until before `toMs`. */
  between(fromMs?: number, toMs?: number): LoadResult[];
  /**
   * So many per cent of the requests took no longer, however they ended (nearest rank).
   *
   * @throws when no request began in the time span
   */
  percentile(percent: number, fromMs?: number, toMs?: number): number;
  /** How often each outcome was there: `{ '200': 990, '503': 9, ECONNRESET: 1 }`. */
  tally(fromMs?: number, toMs?: number): Record<string, number>;
}

export function loadReport(results: readonly LoadResult[]): LoadReport {
  const between = (fromMs = 0, toMs = Infinity): LoadResult[] =>
    results.filter(({ startMs }) => startMs >= fromMs && startMs < toMs);

  return {
    results,
    between,
    percentile(percent, fromMs, toMs) {
      if (!(percent > 0 && percent <= 100)) {
        throw new TypeError(`percentile: "percent" must be above 0 and at most 100, got ${percent}`);
      }
      const durations = between(fromMs, toMs).map(({ durationMs }) => durationMs);
      const rank = Math.ceil((percent / 100) * durations.length) - 1;
      const value = durations.toSorted((a, b) => a - b)[rank];
      if (value === undefined) {
        throw new Error(`percentile: no request began between ${fromMs ?? 0} and ${toMs ?? Infinity} ms`);
      }
      return value;
    },
    tally(fromMs, toMs) {
      const counts: Record<string, number> = {};
      for (const { status, error } of between(fromMs, toMs)) {
        const outcome = error ?? String(status);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      return counts;
    },
  };
}
