import { vi } from 'vitest';

/** Waits until the check no longer throws, with a bound that a busy machine does not reach. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000, interval: 5 });
}
