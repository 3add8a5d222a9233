import type { Rate } from './rate.js';

/** A leaky bucket: a level that sinks by one every interval (GCRA, ITU-T I.371). */
export class Bucket {
  private level = 0;
  private at = -Infinity;

  /** @returns how long to wait, in milliseconds; 0 when it has been counted */
  take({ limit, windowMs, burst = limit - 1 }: Rate, now: number): number {
    const intervalMs = windowMs / limit;
    const level = Math.max(0, this.level - (now - this.at) / intervalMs);
    // What sums of fractions may be off by.
    const over = level - burst - 1e-9;
    if (over > 0) return over * intervalMs;
    this.level = level + 1;
    this.at = now;
    return 0;
  }
}

/**
 * A bucket for each key. At most so many are kept, in two halves: when the young half is full it becomes the old one,
 * and what was in the old one is forgotten.
 */
export class Buckets {
  private young: Map<string, Bucket> = new Map();
  private old: Map<string, Bucket> = new Map();

  constructor(
    readonly rate: Rate,
    private readonly maxKeys = 100_000,
  ) {}

  /** @returns how long to wait, in milliseconds; 0 when it has been counted */
  take(key: string, now: number = performance.now()): number {
    return this.bucketOf(key).take(this.rate, now);
  }

  private bucketOf(key: string): Bucket {
    const known = this.young.get(key);
    if (known !== undefined) return known;
    const bucket = this.old.get(key) ?? new Bucket();
    if (this.young.size >= this.maxKeys / 2) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, bucket);
    return bucket;
  }
}
