import { setTimeout as delay } from 'node:timers/promises';
import { formatAddress } from './bind.js';
import { callHook } from './hooks.js';
import type { ClusterSettings } from './options.js';
import { type Pool, openPool } from './pool.js';
import { grantedProcessors } from './processors.js';
import { recycler } from './recycler.js';
import type { ReloadOutcome } from './reload-outcome.js';
import { rollingReload } from './rolling-reload.js';
import { startInTurns } from './start-in-turns.js';
import { type ClusterStatus, describeReload } from './status.js';
import type { WorkerProcess } from './worker-process.js';

/** The workers of this process, and what may be done with them. */
export interface ProcessManager {
  status(): ClusterStatus;
  /**
   * Replaces all workers by new ones, which run the program as it is now; the new ones first. Where one of them fails,
   * the old ones stay. Resolves when the old ones, or the new ones, are gone; never rejects. Asked for during the
   * start or a reload, it follows that.
   */
  reload(): Promise<ReloadOutcome>;
  /**
   * Starts or retires workers until there are so many.
   *
   * @throws {TypeError} when it is no integer of at least 1
   */
  scale(workers: number): void;
  /** Has workers open their log files by name again. */
  reopenLogs(): void;
  /** Has all workers drain, or with `quick` end at once, and resolves when they are gone. */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /**
   * Whether requests under way are dropped.
   * @default false
   */
  quick?: boolean | undefined;
}

/** {@link ProcessManager}, as its own package sees it. */
export interface RunningManager extends ProcessManager {
  /** Resolves when the first workers are ready. */
  start(): Promise<void>;
  /** As `reload`, but resolves once it is clear which workers stay. */
  reloadUntilDecided(): Promise<ReloadOutcome>;
}

export interface ManagerEvents {
  onState(state: ClusterStatus['state'], words: string): void;
}

/** How long the manager stays for what `preStop` does. */
const PRE_STOP_WITHIN_MS = 5_000;

/** @param reread reads the settings again for a reload */
export function openManager(
  settings: ClusterSettings,
  reread: () => Promise<ClusterSettings>,
  events: ManagerEvents,
): RunningManager {
  const { log } = settings;
  const startedMs = performance.now();
  let state: ClusterStatus['state'] = 'starting';
  let lastReload: ReloadOutcome | undefined;
  let current: Reload | undefined;
  let following: Reload | undefined;
  let stopped: Promise<void> | undefined;
  let lastWords: Promise<unknown> | undefined;
  const hurried = deferred<void>();
  let started: Promise<unknown> | undefined;
  let isStarted = false;

  const pool: Pool = openPool(settings, {
    onTired: (worker, reason) => recycling.add(worker, reason),
    onAsk: (worker, ask, what) => void answer(worker, ask, what),
  });
  const recycling = recycler(pool, log);

  function enter(next: ClusterStatus['state']): void {
    if (state === 'stopping') return;
    state = next;
    const { workersReady, workersWanted } = status();
    const outcome = lastReload === undefined ? '' : `; last reload: ${describeReload(lastReload)}`;
    events.onState(next, `${workersReady} of ${workersWanted} workers ready${outcome}`);
  }

  async function answer(worker: WorkerProcess, ask: number, what: 'status' | 'reload'): Promise<void> {
    const result = what === 'status' ? status() : await reload().decided;
    worker.send({ signalbox: 'cluster', kind: 'answer', ask, answer: result });
  }

  /** One after the other; those who ask while one runs share the next, since the program may have changed since. */
  function reload(): Reload {
    if (current === undefined) return (current = beginReload(Promise.resolve(started)));
    const takesOver = (): void => {
      [current, following] = [following, undefined];
    };
    return (following ??= beginReload(current.finished.then(takesOver)));
  }

  function beginReload(before: Promise<unknown>): Reload {
    const decided = deferred<ReloadOutcome>();
    const finished = before.then(() => runReload(decided.resolve));
    return { decided: decided.promise, finished };
  }

  async function runReload(onDecided: (outcome: ReloadOutcome) => void): Promise<ReloadOutcome> {
    enter('reloading');
    log.info({ generation: pool.generation + 1 }, 'reloading: new workers first');
    callHook(pool.settings.hooks, log, 'preReload');
    await recycling.pause();
    const outcome = await rollingReload(pool, reread, (decided) => {
      lastReload = decided;
      onDecided(decided);
    });
    lastReload = outcome;
    if (outcome.outcome === 'done') log.info({ reload: outcome }, `reload ${describeReload(outcome)}`);
    else log.error({ reload: outcome }, `reload ${describeReload(outcome)}`);
    if (following === undefined) current = undefined;
    recycling.resume();
    enter('ready');
    callHook(pool.settings.hooks, log, 'postReload', outcome);
    return outcome;
  }

  function status(): ClusterStatus {
    const workers = [...pool.members].map((worker) => ({
      worker: worker.id,
      pid: worker.pid,
      state: worker.state,
      generation: worker.generation,
      ageSeconds: Math.round((performance.now() - worker.startedMs) / 1_000),
      memoryBytes: worker.memoryBytes,
      requests: worker.requests,
    }));
    return {
      pid: process.pid,
      state,
      entry: pool.settings.entry,
      address: addressOf(settings, [...pool.members]),
      uptimeSeconds: Math.round((performance.now() - startedMs) / 1_000),
      workersWanted: pool.wanted,
      workersReady: pool.serving.filter((worker) => worker.state === 'ready').length,
      generation: pool.generation,
      failures: pool.failures,
      lastFailure: pool.lastFailure,
      retryInMs: pool.retryInMs,
      lastReload,
      workers,
    };
  }

  async function startFirst(): Promise<void> {
    const first: WorkerProcess[] = [];
    await startInTurns(pool.wanted, grantedProcessors(), () => {
      const worker = pool.startCandidate();
      first.push(worker);
      return worker;
    });
    isStarted = true;
    for (const worker of first) if (worker.state === 'ready') pool.admit(worker);
    pool.fill();
    enter('ready');
    log.info({ workers: pool.wanted }, `${pool.wanted} workers serve ${status().address ?? ''}`);
    callHook(pool.settings.hooks, log, 'whenReady');
  }

  async function stop({ quick = false }: StopOptions = {}): Promise<void> {
    if (stopped === undefined) {
      enter('stopping');
      log.info({ quick }, quick ? 'stopping at once' : 'stopping: workers drain');
      lastWords = saidInTime(callHook(pool.settings.hooks, log, 'preStop'), hurried.promise);
    }
    if (quick) hurried.resolve();
    const gone = pool.stop(quick);
    stopped ??= Promise.all([gone, lastWords]).then(() => {
      log.info({}, 'all workers are gone');
      callHook(pool.settings.hooks, log, 'stopped');
    });
    return stopped;
  }

  return {
    status,
    reload: () => reload().finished,
    reloadUntilDecided: () => reload().decided,
    scale(workers) {
      pool.wanted = workers;
      log.info({ workers }, `${workers} workers are wanted`);
      // Those that start are not counted yet, and would all be started once more.
      if (isStarted) pool.fill();
    },
    reopenLogs() {
      pool.reopenOutput();
      log.info({}, 'log files are opened again');
    },
    stop,
    start() {
      const starting = startFirst();
      started = starting.catch(() => undefined);
      return starting;
    },
  };
}

/** Waits for what a hook does, such as to tell somebody, while the workers drain; not for long, nor where it is to be quick. */
async function saidInTime(result: unknown, hurried: Promise<void>): Promise<void> {
  if (!(result instanceof Promise)) return;
  const over = new AbortController();
  const late = delay(PRE_STOP_WITHIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([result.catch(() => undefined), late, hurried]);
  over.abort();
}

/** A reload that was asked for. */
interface Reload {
  /** It is clear which workers stay. */
  readonly decided: Promise<ReloadOutcome>;
  /** The others are gone. */
  readonly finished: Promise<ReloadOutcome>;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** As the workers found it: the port that was free where 0 was asked for, or what the program decided. */
function addressOf({ address }: ClusterSettings, workers: readonly WorkerProcess[]): string | undefined {
  const found = workers.find(({ listening }) => listening !== undefined)?.listening;
  if (address !== undefined && 'socket' in address) return formatAddress(address);
  if (found === undefined) return address && formatAddress(address);
  if (found.addressType === -1) return `unix:${found.address}`;
  const host = address !== undefined && 'host' in address ? address.host : found.address;
  return formatAddress({ host: host ?? '0.0.0.0', port: found.port });
}
