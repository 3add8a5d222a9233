import { writeRate, type Rate } from './rate.js';

/** How requests are counted: in fixed windows, by GCRA, or in a window that slides. */
export type LimitKind = 'fixed' | 'gcra' | 'sliding';

/** A limit with everything about it that can be worked out once. */
export interface Limit {
  /** The zone's name. */
  readonly name: string;
  readonly kind: LimitKind;
  /** Limits of one bucket share their counts. */
  readonly bucket: string;
  /** How much fits in at once: the limit of a window, or 1 + burst. */
  readonly capacity: number;
  readonly windowMs: number;
  /** GCRA: the time in which one request drains away. */
  readonly intervalMs: number;
  /** Over it, a request is counted as refused and let through. */
  readonly shadow: boolean;
  /** A member of `RateLimit-Policy`. */
  readonly policyField: string;
  /** Of how many in what time people are told. */
  readonly rate: Rate;
  /** The rate as it is written. */
  readonly text: string;
}

/** The largest integer of a header field (RFC 9651 section 3.3.1). */
export const MAX_FIELD_INTEGER = 999_999_999_999_999;

export function limitOf(name: string, rate: Rate, shadow: boolean): Limit {
  const kind = rate.burst !== undefined ? 'gcra' : rate.sliding === true ? 'sliding' : 'fixed';
  const capacity = rate.burst === undefined ? rate.limit : rate.burst + 1;
  const intervalMs = rate.windowMs / rate.limit;
  // Of GCRA, the time after which so many could come again.
  const windowMs = kind === 'gcra' ? Math.max(1, Math.ceil(capacity * intervalMs)) : rate.windowMs;
  const quota = Math.min(capacity, MAX_FIELD_INTEGER);
  return {
    name,
    kind,
    bucket: `${kind}:${name}`,
    capacity,
    windowMs,
    intervalMs,
    shadow,
    policyField: `"${name}";q=${quota};w=${toSeconds(windowMs)}`,
    rate,
    text: writeRate(rate),
  };
}

/** Whole seconds, rounded up: who waits that long has waited long enough. */
export function toSeconds(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), MAX_FIELD_INTEGER);
}
