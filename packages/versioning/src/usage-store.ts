/** How often one consumer called one route of one version, and when. */
export interface UsageCount {
  readonly version: string;
  readonly consumer: string;
  /** A route's template, or `unmatched`. */
  readonly route: string;
  readonly calls: number;
  /** Milliseconds since 1970. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

/** Counts that are added together, once. */
export interface UsageBatch {
  /** No other batch has it. */
  readonly id: string;
  readonly counts: readonly UsageCount[];
}

/**
 * Where the counts are kept, day by day. A store adds: what several processes count at the same time is all there. It
 * has room for so many different rows a day; of what comes beyond, the calls are kept and the consumer is not.
 */
export interface UsageStore {
  /**
   * Adds the counts of a batch, each to the day on which it was last seen. The same batch again changes nothing: what
   * a store that failed has done of it is not known.
   */
  add(batch: UsageBatch): void | Promise<void>;
  /** The sums of all days that are not forgotten, in any order. */
  read(): readonly UsageCount[] | Promise<readonly UsageCount[]>;
}

/** Stands for consumers beyond the bound. */
export const OVERFLOW = '__overflow__';

/** Stands for calls that matched no route. */
export const UNMATCHED = 'unmatched';

export const DAY_MS = 86_400_000;
