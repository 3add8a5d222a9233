import { setTimeout as delay } from 'node:timers/promises';
import type { ServerLog } from '@signalbox/server';
import { backoffMs } from './backoff.js';
import type { Pool, RecycleReason } from './pool.js';
import { grantedProcessors } from './processors.js';
import { startInTurns, staysUp } from './start-in-turns.js';
import type { WorkerProcess } from './worker-process.js';

/** Replaces workers that have done their time, each only once another one has taken its place. */
export interface Recycler {
  add(worker: WorkerProcess, reason: RecycleReason): void;
  /** Waits for replacements that are under way, and begins no others until `resume`. */
  pause(): Promise<void>;
  resume(): void;
}

const WHY: Readonly<Record<RecycleReason, string>> = {
  requests: 'has answered its share of requests',
  memory: 'has grown too large',
  age: 'is old',
};

export function recycler(pool: Pool, log: ServerLog): Recycler {
  const waiting = new Map<WorkerProcess, RecycleReason>();
  const underWay = new Map<WorkerProcess, Promise<void>>();
  /** Whose replacement failed a moment ago. */
  const resting = new Set<WorkerProcess>();
  // Those that serve meanwhile need processors, too.
  const atOnce = Math.ceil(grantedProcessors() / 2);
  let failures = 0;
  let isPaused = false;

  function next(): void {
    for (const [worker, reason] of waiting) {
      if (isPaused || pool.isStopping || underWay.size >= atOnce) return;
      waiting.delete(worker);
      if (!pool.serving.includes(worker)) continue;
      const done = replace(worker, reason).finally(() => {
        underWay.delete(worker);
        next();
      });
      underWay.set(worker, done);
    }
  }

  async function replace(worker: WorkerProcess, reason: RecycleReason): Promise<void> {
    const { id, pid } = worker;
    log.info({ worker: id, pid, reason }, `worker ${id} ${WHY[reason]}, and is replaced`);
    const candidates: WorkerProcess[] = [];
    try {
      await startInTurns(1, 1, () => {
        const candidate = pool.startCandidate();
        candidates.push(candidate);
        return candidate;
      });
      await staysUp(candidates, pool.settings.settleMs);
      failures = 0;
      for (const candidate of candidates) pool.admit(candidate);
      if (pool.serving.includes(worker)) pool.retire(worker);
      pool.fill();
    } catch (err) {
      for (const candidate of candidates) candidate.retire(true);
      failures += 1;
      void tryAgain(worker, reason, err);
    }
  }

  async function tryAgain(worker: WorkerProcess, reason: RecycleReason, err: unknown): Promise<void> {
    if (pool.isStopping) return;
    const delayMs = backoffMs(failures + 1, pool.settings.maxBackoffMs);
    log.error(
      { err, worker: worker.id, delayMs },
      `worker ${worker.id} goes on, since its replacement failed`,
    );
    resting.add(worker);
    await delay(delayMs, undefined, { ref: false });
    resting.delete(worker);
    waiting.set(worker, reason);
    next();
  }

  return {
    add(worker, reason) {
      if (
        underWay.has(worker) ||
        waiting.has(worker) ||
        resting.has(worker) ||
        !pool.serving.includes(worker)
      )
        return;
      waiting.set(worker, reason);
      next();
    },
    async pause() {
      isPaused = true;
      await Promise.all(underWay.values());
    },
    resume() {
      isPaused = false;
      next();
    },
  };
}
