import type { Standing } from './algorithm.js';
import type { Ask } from './store.js';

/** How the caller stands, as express-rate-limit keeps it. Of several limits, the one with the least left. */
export interface RateLimitInfo {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  /** When all of it may come again. */
  readonly resetTime: Date | undefined;
  /** Who was counted, as a hash. */
  readonly key: string;
  /** The zone's name. */
  readonly zone: string;
}

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express lets its types be augmented
  namespace Express {
    interface Request {
      /** Set by the limit that was asked last. */
      rateLimit?: RateLimitInfo;
    }
  }
}

/** Few ask for the time at which all may come again: it is worked out for those who do. */
export class StandingInfo implements RateLimitInfo {
  readonly limit: number;
  readonly remaining: number;
  readonly key: string;
  readonly zone: string;
  private readonly resetAt: number;

  constructor({ limit, who }: Ask, { remaining, resetMs }: Standing) {
    this.limit = limit.capacity;
    this.remaining = remaining;
    this.key = who;
    this.zone = limit.name;
    this.resetAt = Date.now() + resetMs;
  }

  get used(): number {
    return this.limit - this.remaining;
  }

  get resetTime(): Date {
    return new Date(this.resetAt);
  }
}
