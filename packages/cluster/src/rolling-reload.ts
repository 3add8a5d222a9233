import type { ClusterSettings } from './options.js';
import type { Plan, Pool } from './pool.js';
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
  let plan: Plan;

  try {
    const after = await reread();
    const workers = after.workers === before.workers ? pool.wanted : after.workers;
    // An old one that crashes meanwhile is replaced by what has proved itself.
    plan = { settings: after, generation: generation + 1, workers };
    // Those that serve meanwhile need processors, too.
    await startInTurns(workers, Math.ceil(grantedProcessors() / 2), () => {
      const worker = pool.startCandidate(plan);
      candidates.push(worker);
      return worker;
    });
    await staysUp(candidates, after.settleMs);
  } catch (error) {
    for (const worker of candidates) worker.retire(true);
    const reason = error instanceof Error ? error.message : String(error);
    const outcome = pool.isStopping ? 'stopped' : 'rolled_back';
    const result: ReloadOutcome = { outcome, at, readyMs: passedMs(), durationMs: undefined, reason };
    onDecided(result);
    await Promise.all(candidates.map((worker) => worker.exited));
    return result;
  }

  pool.settings = plan.settings;
  pool.generation = plan.generation;
  // Unless somebody has asked for more or fewer meanwhile.
  if (pool.wanted === wanted) pool.wanted = plan.workers;
  const old = [...pool.serving];
  for (const worker of candidates) pool.admit(worker);
  for (const worker of old) pool.retire(worker);
  pool.forgiveFailures();
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
