import type { ClusterSettings } from './options.js';
import type { Pool } from './pool.js';
import { grantedProcessors } from './processors.js';
import type { ReloadOutcome } from './reload-outcome.js';
import { startInTurns, staysUp } from './start-in-turns.js';
import type { WorkerProcess } from './worker-process.js';

/**
 * Replaces every worker by one that runs the program as it is on the disk now.
 *
 * All new ones are started beside the old ones and have to stay up for a moment; only then do the old ones drain.
 * When one of the new ones fails, all of them go, and the old ones never notice.
 *
 * @param reread reads the settings again, where they come from a file
 * @param onDecided told once it is clear which workers stay; the old ones may still drain then
 */
export async function rollingReload(
  pool: Pool,
  reread: () => Promise<ClusterSettings>,
  onDecided: (outcome: ReloadOutcome) => void,
): Promise<ReloadOutcome> {
  const at = new Date().toISOString();
  const startMs = performance.now();
  const passedMs = (): number => Math.round(performance.now() - startMs);
  const before = pool.settings;
  const { generation, wanted } = pool;
  const candidates: WorkerProcess[] = [];
  const start = (): WorkerProcess => {
    const worker = pool.startCandidate();
    candidates.push(worker);
    return worker;
  };

  try {
    const after = await reread();
    if (after.workers !== before.workers) pool.wanted = after.workers;
    pool.settings = after;
    pool.generation = generation + 1;
    // Those that serve meanwhile need processors, too.
    await startInTurns(pool.wanted, Math.ceil(grantedProcessors() / 2), start);
    await staysUp(candidates, after.settleMs);
  } catch (error) {
    // Unless somebody has asked for more or fewer meanwhile.
    if (pool.settings.workers !== before.workers && pool.wanted === pool.settings.workers)
      pool.wanted = wanted;
    pool.settings = before;
    pool.generation = generation;
    for (const worker of candidates) worker.retire(true);
    const reason = error instanceof Error ? error.message : String(error);
    const outcome = pool.isStopping ? 'stopped' : 'rolled_back';
    const result: ReloadOutcome = { outcome, at, readyMs: passedMs(), durationMs: undefined, reason };
    onDecided(result);
    return result;
  }

  const old = [...pool.serving];
  for (const worker of candidates) pool.admit(worker);
  for (const worker of old) pool.retire(worker);
  pool.forgiveFailures();
  // Somebody may have asked for more or fewer meanwhile.
  pool.fill();
  const decided: ReloadOutcome = {
    outcome: 'done',
    at,
    readyMs: passedMs(),
    durationMs: undefined,
    reason: undefined,
  };
  onDecided(decided);
  await Promise.all(old.map((worker) => worker.exited));
  return { ...decided, durationMs: passedMs() };
}
