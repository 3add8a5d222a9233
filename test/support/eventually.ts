import { waitUntil } from './program.js';

/** Looks until `probe` returns true, and fails after `timeoutMs`. */
export async function eventually(probe: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  if (await waitUntil(probe, timeoutMs)) return;
  throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
}
