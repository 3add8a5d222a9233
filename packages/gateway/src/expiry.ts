/**
 * Calls once so long is over, and what has come by then is read: where the app's own work took long, timers are due before any
 * socket is looked at.
 *
 * @returns what ends that; nothing is called from then on
 */
export function onExpiry(ms: number, expired: () => void): () => void {
  let isOver = false;
  const timer = setTimeout(setImmediate, ms, () => {
    if (!isOver) expired();
  });
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
