/** Often enough not to be noticed, and rare enough to cost nothing: it runs during a drain only. */
const LOOK_EVERY_MS = 10;

/**
 * Waits until `done()` says so, at most `timeoutMs`. Keeps the process alive meanwhile.
 *
 * @returns whether it did in time
 */
export async function until(done: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!done()) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) return false;
    await sleep(Math.min(leftMs, LOOK_EVERY_MS));
  }
  return true;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
