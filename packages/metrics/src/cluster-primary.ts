import cluster, { type Worker } from 'node:cluster';
import type { Registry } from 'prom-client';
import { isOurs, type FromPrimary, type FromWorker } from './cluster-messages.js';
import { pack, unpack, type PackedMetric } from './packing.js';
import { completeness, gaugeOf, type Scrape } from './scrape.js';
import { lasting, mergeSnapshots, takeSnapshot, type MetricSnapshot } from './snapshot.js';

/** The primary's part in the metrics of its cluster. */
export interface Aggregator {
  /** Asks all workers and adds up. */
  scrape(): Promise<Scrape>;
  /** Whose metrics are the primary's own share. */
  readonly registries: Set<Registry>;
  close(): void;
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
  const dead = deadWorkers();

  function onMessage(worker: Worker, message: unknown): void {
    if (!isOurs(message) || dead.has(worker.id)) return;
    const ours = message as FromWorker;
    if (ours.kind === 'scrape') return void answer(worker, ours.scrape);
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
    dead.add(worker.id, known.get(worker.id));
    known.delete(worker.id);
    silent.delete(worker.id);
    rounds.left(worker.id);
  }

  async function answer(worker: Worker, id: number): Promise<void> {
    try {
      const { metrics, workers, workersMissing } = await scrape();
      const packed = metrics.map(pack);
      send(worker, {
        signalbox: 'metrics',
        kind: 'scraped',
        scrape: id,
        metrics: packed,
        workers,
        workersMissing,
      });
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async function scrape(): Promise<Scrape> {
    const missing = await rounds.collect([...known.keys()].filter((id) => !silent.has(id)));
    const own = await Promise.all([...registries].map(takeSnapshot));
    // Both in one go: a worker that leaves now is counted once, as alive or as dead.
    const workers = [...known.values()].map((metrics) => metrics.map(unpack));
    const metrics = await mergeSnapshots([...own, ...workers, ...dead.snapshots()]);
    metrics.push(
      gaugeOf('signalbox_workers', 'Workers that are counted.', workers.length),
      gaugeOf(
        'signalbox_workers_missing',
        'Workers that did not answer and are counted as last known.',
        missing,
      ),
      completeness(missing === 0),
    );
    return { metrics, scope: 'cluster', workers: workers.length, workersMissing: missing };
  }

  cluster.on('message', onMessage);
  cluster.on('disconnect', onDisconnect);
  // Those that started before us introduced themselves to nobody.
  rounds.introduce();

  return {
    scrape,
    registries,
    close() {
      cluster.off('message', onMessage);
      cluster.off('disconnect', onDisconnect);
    },
  };
}

/** What the workers had counted that are gone, gathered into one snapshot now and then. */
function deadWorkers() {
  const COMPACT_FROM = 8;
  const ids = new Set<number>();
  const kept: MetricSnapshot[][] = [];
  let compacting = false;

  async function compact(): Promise<void> {
    compacting = true;
    const many = [...kept];
    const one = await mergeSnapshots(many);
    kept.splice(0, many.length, one);
    compacting = false;
  }

  return {
    has: (worker: number) => ids.has(worker),
    add(worker: number, last: PackedMetric[] | undefined): void {
      ids.add(worker);
      if (last === undefined) return;
      kept.push(lasting(last.map(unpack)));
      if (kept.length >= COMPACT_FROM && !compacting) void compact();
    },
    snapshots: (): readonly MetricSnapshot[][] => kept,
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
    introduce(): void {
      ask(Object.keys(cluster.workers ?? {}).map(Number), ++last);
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
