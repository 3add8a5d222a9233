import type { WorkerProcess } from './worker-process.js';

/** A worker that is frozen as a whole has nobody left who could report it; the manager gives it a little longer. */
const THREAD_MAY_TAKE_MS = 5_000;

/**
 * Calls `onSilent` when nothing is heard from a worker, by the times that it was started with: a reload may change
 * them for the next ones.
 *
 * Beats are counted against the manager's own ticks, so that time in which the whole machine slept, or the manager
 * itself was stopped, is held against nobody.
 *
 * @returns a function that ends it
 */
export function watchHeartbeat(
  worker: WorkerProcess,
  { beatMs, stuckAfterMs }: { beatMs: number; stuckAfterMs: number },
  onSilent: () => void,
): () => void {
  if (stuckAfterMs === 0) return () => undefined;
  const patience = Math.ceil((stuckAfterMs + THREAD_MAY_TAKE_MS) / beatMs);
  const timer = setInterval(() => {
    if (worker.state !== 'ready' && worker.state !== 'draining') return;
    worker.missedBeats += 1;
    if (worker.missedBeats > patience) onSilent();
  }, beatMs).unref();
  return () => clearInterval(timer);
}
