import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerProcess } from './worker-process.js';

/**
 * Starts `count` workers, at most `atOnce` at the same time: more than there are processors would only make each
 * other, and those that serve meanwhile, slow.
 *
 * @throws when one of them does not become ready; no more are started then
 */
export async function startInTurns(count: number, atOnce: number, start: () => WorkerProcess): Promise<void> {
  let left = count;
  async function startNext(): Promise<void> {
    while (left > 0) {
      left -= 1;
      const worker = start();
      try {
        await worker.ready;
      } catch (error) {
        left = 0;
        throw new Error(`worker ${worker.id} ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, startNext));
}

/** @throws when one of them ends, or begins to, within `forMs` */
export async function staysUp(workers: readonly WorkerProcess[], forMs: number): Promise<void> {
  const settled = new AbortController();
  const ends = workers.map(async (worker) => worker.exited);
  try {
    await Promise.race([delay(forMs, undefined, { signal: settled.signal }), ...ends]);
  } finally {
    settled.abort();
  }
  for (const worker of workers) {
    if (worker.state === 'ready') continue;
    const crash = worker.crash?.split('\n', 1)[0];
    const why = crash === undefined ? '' : `: ${crash}`;
    throw new Error(`worker ${worker.id} did not stay up for ${forMs} ms${why}`);
  }
}
