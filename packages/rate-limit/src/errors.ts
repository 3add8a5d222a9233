import { ServiceUnavailableError, TooManyRequestsError } from '@signalbox/errors';
import type { Limit } from './limit.js';
import { count, inWords } from './rate.js';

/** What a person can be told of a limit that was reached. */
export interface RateLimitDetails {
  zone: string;
  /** So many requests are allowed … */
  limit: number;
  /** … in so many seconds. */
  windowSeconds: number;
  retryAfterSeconds: number;
}

/** 429 `rate_limited`: the caller has reached a limit. */
export class RateLimitExceededError extends TooManyRequestsError {
  declare readonly details: RateLimitDetails;
  declare readonly retryAfterSeconds: number;
  /** Whose limit it was. */
  readonly zone: string;

  constructor({ zone, message, details }: RateLimitRefusal) {
    super(message, { code: 'rate_limited', details, retryAfterSeconds: details.retryAfterSeconds });
    this.zone = zone;
  }
}

/** What a {@link RateLimitExceededError} is made of. */
export interface RateLimitRefusal {
  zone: string;
  message: string;
  details: RateLimitDetails;
}

/** Whole seconds to wait, never 0: who comes back at once is refused again. */
export function waitSeconds(retryMs: number): number {
  return Math.max(1, Math.ceil(retryMs / 1000));
}

export function exceeded({ name, rate }: Limit, retryMs: number): RateLimitExceededError {
  const retryAfterSeconds = waitSeconds(retryMs);
  const { limit, windowMs } = rate;
  const allowed = `${count(limit, 'request')} in ${inWords(windowMs)}`;
  return new RateLimitExceededError({
    zone: name,
    message: `Too many requests: the limit is ${allowed}. Try again in ${inWords(retryAfterSeconds * 1000)}.`,
    details: { zone: name, limit, windowSeconds: windowMs / 1000, retryAfterSeconds },
  });
}

/** With the policy `closed`: nobody knows whether the caller has reached the limit. */
export function limitUnavailable(cause: unknown): ServiceUnavailableError {
  return new ServiceUnavailableError('The rate limit cannot be checked', {
    code: 'rate_limit_unavailable',
    retryAfterSeconds: 1,
    cause,
  });
}
