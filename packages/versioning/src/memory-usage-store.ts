import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import { DAY_MS, type UsageStore } from './usage-store.js';
import { resolveStore, STORE_NAMES, type UsageStoreOptions } from './usage-store-options.js';
import { UsageSums } from './usage-sums.js';

/** How many batches are remembered, so as not to be added twice. */
const MAX_BATCHES = 1_000;

/**
 * Keeps counts in this process: they are gone when it is.
 *
 * @throws {TypeError} when an option is out of range
 */
export function memoryUsageStore(options: UsageStoreOptions = {}): UsageStore {
  requireObject('memoryUsageStore', 'options', options);
  refuseUnknownOptions('memoryUsageStore', options, STORE_NAMES);
  const { retentionDays, maxRows, now } = resolveStore('memoryUsageStore', options);
  const days = new Map<number, UsageSums>();
  const added = new Set<string>();

  function forget(): void {
    const oldest = Math.floor(now() / DAY_MS) - retentionDays;
    for (const day of days.keys()) if (day <= oldest) days.delete(day);
  }

  return {
    add({ id, counts }) {
      if (added.has(id)) return;
      added.add(id);
      if (added.size > MAX_BATCHES) added.delete(added.values().next().value ?? '');
      for (const count of counts) {
        const day = Math.floor(count.lastSeenMs / DAY_MS);
        const sums = days.get(day) ?? new UsageSums(maxRows);
        days.set(day, sums);
        sums.add(count);
      }
      forget();
    },

    async read() {
      forget();
      const all = new UsageSums(Infinity);
      for (const sums of days.values()) await all.addAll(sums.list());
      return all.list();
    },
  };
}
