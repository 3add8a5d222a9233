import type { WorkerProcess } from './worker-process.js';

/** A worker that is frozen as a whole has nobody left who could report it; the manager gives it a little longer. */
const THREAD_MAY_TAKE_MS = 5_000;

/**
 * Calls `onSilent` for each worker from which nothing is heard.
 *
 * Beats are counted against the manager's own ticks, so that time in which the whole machine slept, or the manager
 * itself was stopped, is held against nobody.
 *
 * @returns a function that ends it
 */
export function watchHeartbeats(
  workers: () => Iterable<WorkerProcess>,
  { beatMs, stuckAfterMs }: { beatMs: number; stuckAfterMs: number },
  onSilent: (worker: WorkerProcess) => void,
): () => void {
  if (stuckAfterMs === 0) return () => undefined;
  const patience = Math.ceil((stuckAfterMs + THREAD_MAY_TAKE_MS) / beatMs);
  const timer = setInterval(() => {
    for (const worker of workers()) {
      if (worker.state !== 'ready' && worker.state !== 'draining') continue;
      worker.missedBeats += 1;
      if (worker.missedBeats > patience) onSilent(worker);
    }
  }, beatMs).unref();
  return () => clearInterval(timer);
}
