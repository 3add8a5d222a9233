import { requireFunction, requireInteger } from '@signalbox/options';

/** What the stores have in common. */
export interface UsageStoreOptions {
  /**
   * For how many days counts are kept.
   * @default 90
   */
  retentionDays?: number | undefined;
  /**
   * How many different rows (version, consumer and route) a day may have.
   * @default 2_000
   */
  maxRows?: number | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

export const STORE_NAMES = ['retentionDays', 'maxRows', 'now'] as const;

/** @throws {TypeError} naming the bad option */
export function resolveStore(
  owner: string,
  { retentionDays = 90, maxRows = 2_000, now = Date.now }: UsageStoreOptions,
): { retentionDays: number; maxRows: number; now: () => number } {
  requireInteger(owner, 'retentionDays', retentionDays, 1, 3_650);
  requireInteger(owner, 'maxRows', maxRows, 1, 100_000);
  requireFunction(owner, 'now', now);
  return { retentionDays, maxRows, now };
}
