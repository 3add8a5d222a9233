import cluster, { type Worker } from 'node:cluster';
import type { Registry } from 'prom-client';
import { isOurs, type FromPrimary, type FromWorker } from './cluster-messages.js';
import { lasting, merge } from './merging.js';
import { pack, unpack, withChanges, type PackedMetric } from './packing.js';
import { completeness, gaugeOf, workerCount, type Scrape } from './scrape.js';
import { takeSnapshot } from './snapshot.js';

/** The primary's part in the metrics of its cluster. */
export interface Aggregator {
  /** Asks all workers and adds up. */
  scrape(): Promise<Scrape>;
  /** Whose metrics are the primary's own share. */
  readonly registries: Set<Registry>;
  close(): void;
}

/** The numbers of all, as they are sent to the worker that asked. */
interface Gathered {
  metrics: PackedMetric[];
  workers: number;
  workersMissing: number;
}

/**
 * Adds up the metrics of the workers, those that are gone included.
 *
 * A worker counts from its first message on. One that does not answer within `timeoutMs` is counted as it was
 * last known, so that no counter falls for it.
 */
export function aggregator(timeoutMs: number): Aggregator {
  const registries = new Set<Registry>();
  const known = new Map<number, PackedMetric[]>();
  /** Workers that have said their last word, but are still there. */
  const silent = new Set<number>();
  const rounds = collectionRounds(timeoutMs);
  /** What the workers had counted that are gone. */
  let dead: PackedMetric[] = [];
  const gone = new Set<number>();

  function onMessage(worker: Worker, message: unknown): void {
    if (!isOurs(message) || gone.has(worker.id)) return;
    const ours = message as FromWorker;
    if (ours.kind === 'scrape') {
      // Who asks can be asked: one that has closed and begun anew may not have told so yet.
      silent.delete(worker.id);
      return void answer(worker, ours.scrape);
    }
    const before = known.get(worker.id);
    if (ours.kind === 'changes') {
      if (before !== undefined) known.set(worker.id, withChanges(before, ours.changes));
      return;
    }
    if (before === undefined) send(worker, { signalbox: 'metrics', kind: 'welcome' });
    known.set(worker.id, ours.metrics);
    if (ours.final === true) {
      silent.add(worker.id);
      rounds.left(worker.id);
    } else {
      silent.delete(worker.id);
      rounds.answered(worker.id, ours.collect);
    }
  }

  /** The channel is closed, and what came through it has been read. */
  function onDisconnect(worker: Worker): void {
    dead = merge([dead, lasting(known.get(worker.id) ?? [])]);
    gone.add(worker.id);
    known.delete(worker.id);
    silent.delete(worker.id);
    rounds.left(worker.id);
  }

  /** @param asker a worker that is asked as well: it may not have told anything yet */
  async function gather(asker?: number): Promise<Gathered> {
    const all = new Set(known.keys());
    if (asker !== undefined) all.add(asker);
    const asked = [...all].filter((id) => !silent.has(id));
    const [missing] = await Promise.all([rounds.collect(asked), introduced]);
    const own = await Promise.all([...registries].map(takeSnapshot));
    // Both in one go: a worker that leaves now is counted once, as alive or as dead.
    const metrics = merge([...own.map((snapshot) => snapshot.map(pack)), ...known.values(), dead]);
    const said = [
      workerCount(known.size),
      gaugeOf(
        'signalbox_workers_missing',
        'Workers that did not answer and are counted as last known.',
        missing,
      ),
      completeness(missing === 0),
    ];
    return { metrics: [...metrics, ...said.map(pack)], workers: known.size, workersMissing: missing };
  }

  async function answer(worker: Worker, scrape: number): Promise<void> {
    try {
      send(worker, { signalbox: 'metrics', kind: 'scraped', scrape, ...(await gather(worker.id)) });
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  }

  cluster.on('message', onMessage);
  cluster.on('disconnect', onDisconnect);
  // Those that started before us introduced themselves to nobody.
  const introduced = rounds.collect(Object.keys(cluster.workers ?? {}).map(Number));

  return {
    async scrape() {
      const { metrics, ...counts } = await gather();
      return { metrics: metrics.map(unpack), scope: 'cluster', ...counts };
    },
    registries,
    close() {
      cluster.off('message', onMessage);
      cluster.off('disconnect', onDisconnect);
    },
  };
}

/** Collects snapshots from workers, and does not wait for them long. */
function collectionRounds(timeoutMs: number) {
  interface Round {
    readonly awaited: Set<number>;
    readonly end: () => void;
  }
  const rounds = new Map<number, Round>();
  let last = 0;

  function arrived(round: Round | undefined, worker: number): void {
    round?.awaited.delete(worker);
    if (round?.awaited.size === 0) round.end();
  }

  return {
    /** Resolves with how many did not answer. */
    async collect(workers: readonly number[]): Promise<number> {
      const collect = ++last;
      const awaited = new Set(ask(workers, collect));
      if (awaited.size === 0) return 0;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        const end = () => {
          clearTimeout(timer);
          resolve();
        };
        rounds.set(collect, { awaited, end });
      });
      rounds.delete(collect);
      return awaited.size;
    },
    answered(worker: number, collect: number | undefined): void {
      if (collect !== undefined) arrived(rounds.get(collect), worker);
    },
    left(worker: number): void {
      for (const round of rounds.values()) arrived(round, worker);
    },
  };
}

/** Asks the workers for snapshots, and returns those that can be asked. */
function ask(workers: readonly number[], collect: number): number[] {
  return workers.filter((id) => {
    const worker = cluster.workers?.[id];
    return worker !== undefined && send(worker, { signalbox: 'metrics', kind: 'collect', collect });
  });
}

/** Returns whether the channel took it. */
function send(worker: Worker, message: FromPrimary): boolean {
  if (!worker.isConnected()) return false;
  // An error here means that the worker is leaving; `disconnect` says so too.
  worker.send(message, () => undefined);
  return true;
}
