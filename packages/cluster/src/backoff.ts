/** How long to wait before the next start after `failures` quick failures in a row; jittered by a fifth. */
export function backoffMs(failures: number, maxMs: number, random: () => number = Math.random): number {
  // One crash is no loop.
  if (failures <= 1) return 0;
  const delayMs = Math.min(maxMs, 250 * 2 ** (failures - 2));
  return Math.round(delayMs * (0.8 + 0.2 * random()));
}
