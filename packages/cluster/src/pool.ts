import type { Address } from '@signalbox/server';
import { signals } from '@signalbox/signals';
import { backoffMs } from './backoff.js';
import { formatAddress } from './bind.js';
import { watchHeartbeat } from './heartbeat.js';
import { callHook } from './hooks.js';
import type { ClusterSettings } from './options.js';
import { openOutput } from './output.js';
import type { WorkerFailure } from './status.js';
import { type WorkerEvents, type WorkerProcess, startWorker } from './worker-process.js';

/** Why a worker shall be replaced, though nothing is wrong with it. */
export type RecycleReason = 'requests' | 'memory' | 'age';

export interface PoolEvents {
  /** A worker has done its time. */
  onTired(worker: WorkerProcess, reason: RecycleReason): void;
  onAsk: WorkerEvents['onAsk'];
}

/** What workers are started with. */
export interface Plan {
  readonly settings: ClusterSettings;
  readonly generation: number;
  /** How many there are to be. */
  readonly workers: number;
}

/** The workers. Sees to it that as many serve as are wanted, whatever becomes of one. */
export interface Pool {
  settings: ClusterSettings;
  wanted: number;
  generation: number;
  readonly failures: number;
  readonly lastFailure: WorkerFailure | undefined;
  readonly retryInMs: number | undefined;
  /** Every process that is not gone. */
  readonly members: ReadonlySet<WorkerProcess>;
  /** Those that serve, or will: not the ones that drain, nor candidates. */
  readonly serving: readonly WorkerProcess[];
  /** Starts a worker that is not yet counted on; a reload with a plan of its own, until it is clear that they stay. */
  startCandidate(plan?: Plan): WorkerProcess;
  /** From now on it is counted on. */
  admit(worker: WorkerProcess): void;
  /** Others have taken its place: it is not counted on any more, and drains. */
  retire(worker: WorkerProcess): void;
  /** Starts and retires workers until as many serve as are wanted. */
  fill(): void;
  /** A new start: what crashed before is forgotten. */
  forgiveFailures(): void;
  reopenOutput(): void;
  readonly isStopping: boolean;
  /** Starts no more, and resolves when all are gone. A second, quick one hurries those up that drain. */
  stop(quick: boolean): Promise<void>;
}

export function openPool(initial: ClusterSettings, told: PoolEvents): Pool {
  const { log } = initial;
  const members = new Set<WorkerProcess>();
  const serving: WorkerProcess[] = [];
  const output = openOutput(initial.outputFile);
  let port: number | undefined;
  let failures = 0;
  let quickFailures = 0;
  let lastFailure: WorkerFailure | undefined;
  let retry: { readonly timer: NodeJS.Timeout; readonly atMs: number } | undefined;
  let isStopping = false;
  let gone: Promise<void> | undefined;

  const events: WorkerEvents = {
    onState(worker) {
      if (worker.state !== 'exited') publishState(worker);
      if (worker.state === 'ready') welcome(worker);
      // It drains of its own accord, after a crash say, or somebody else told it to.
      if (worker.state === 'draining') lose(worker, 'has begun to drain by itself');
    },
    onBeat(worker) {
      const { maxMemoryBytes, maxAgeMs } = pool.settings;
      // Again: when it said so it may not have been counted on yet.
      if (worker.isTired) told.onTired(worker, 'requests');
      if (maxMemoryBytes !== 0 && worker.memoryBytes > maxMemoryBytes) told.onTired(worker, 'memory');
      if (maxAgeMs !== 0 && performance.now() - worker.startedMs > ageOf(worker, maxAgeMs)) {
        told.onTired(worker, 'age');
      }
    },
    onElsewhere(worker, place) {
      const wanted = worker.address === undefined ? '' : ` in place of ${formatAddress(worker.address)}`;
      log.warn(
        named(worker),
        `worker ${worker.id} listens on ${place}${wanted}; serve() of @signalbox/server listens where it is told to, other servers find HOST and PORT, or SOCKET, in their environment`,
      );
    },
    onTired: (worker) => told.onTired(worker, 'requests'),
    onStuck: replaceStuck,
    onAsk: (worker, ask, what) => told.onAsk(worker, ask, what),
  };

  function start({ settings, generation, workers }: Plan = presentPlan()): WorkerProcess {
    if (isStopping) throw new Error('was not started, since the manager stops');
    const extra = callHook(settings.hooks, log, 'preFork') as Record<string, string> | undefined;
    const plan = {
      settings,
      generation,
      workers,
      output: output.target,
      address: addressFor(settings),
      env: extra ?? {},
    };
    const worker = startWorker(plan, events);
    members.add(worker);
    const stopWatching = watchHeartbeat(worker, settings, () => replaceStuck(worker, undefined));
    void worker.exited.then((exit) => {
      stopWatching();
      members.delete(worker);
      const expected = !serving.includes(worker) || isStopping;
      const how = exit.signal === undefined ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
      const why = worker.crash === undefined ? '' : `: ${worker.crash.split('\n', 1)[0]}`;
      callHook(settings.hooks, log, 'workerExit', { ...named(worker), ...exit, expected });
      publishState(worker, exit.code);
      if (worker.overdueMs === undefined)
        log.info({ ...named(worker), ...exit }, `worker ${worker.id} ${how}`);
      else
        log.warn(
          named(worker),
          `worker ${worker.id} was killed: it had not ended within ${worker.overdueMs} ms`,
        );
      lose(worker, `${how}${why}`);
    });
    return worker;
  }

  function presentPlan(): Plan {
    return { settings: pool.settings, generation: pool.generation, workers: pool.wanted };
  }

  /**
   * Node shares what listens among the workers that ask for the same. Where any free port will do, one that asks when
   * nobody is left would get another; it asks for the one that was found.
   */
  function addressFor({ address }: ClusterSettings): Address | undefined {
    if (address === undefined || !('port' in address) || address.port !== 0 || port === undefined)
      return address;
    const sharing = [...members].find(({ state }) => state === 'ready');
    return sharing === undefined ? { ...address, port } : sharing.address;
  }

  function welcome(worker: WorkerProcess): void {
    const tookMs = Math.round((worker.readyMs ?? 0) - worker.startedMs);
    log.info({ ...named(worker), tookMs }, `worker ${worker.id} is ready after ${tookMs} ms`);
    port ??= worker.listening?.port;
    callHook(worker.settings.hooks, log, 'workerReady', named(worker));
  }

  function replaceStuck(worker: WorkerProcess, stack: string | undefined): void {
    // A program that starts has all of its time to become ready.
    if (worker.state !== 'ready' && worker.state !== 'draining') return;
    worker.markStuck();
    const where = stack === undefined ? ', in native code or stopped as a whole' : ` at\n${stack}`;
    log.error({ ...named(worker), stack }, `the event loop of worker ${worker.id} is blocked${where}`);
    callHook(worker.settings.hooks, log, 'workerStuck', { ...named(worker), stack });
    worker.kill();
    lose(worker, 'was stuck and killed');
  }

  /** A worker that was counted on is none any more. */
  function lose(worker: WorkerProcess, reason: string): void {
    if (!remove(worker) || isStopping) return;
    failures += 1;
    lastFailure = { at: new Date().toISOString(), worker: worker.id, reason };
    const upMs = worker.readyMs === undefined ? 0 : performance.now() - worker.readyMs;
    quickFailures = upMs < pool.settings.minUptimeMs ? quickFailures + 1 : 1;
    // All at once is once.
    const rounds = Math.ceil(quickFailures / pool.wanted);
    const delayMs = backoffMs(rounds, pool.settings.maxBackoffMs);
    const then =
      delayMs === 0 ? 'at once' : `in ${delayMs} ms, after ${quickFailures} quick failures in a row`;
    log.error({ ...named(worker), delayMs }, `worker ${worker.id} ${reason}; it is replaced ${then}`);
    if (delayMs === 0 && retry === undefined) fill();
    else retryIn(delayMs);
  }

  /** The system may refuse a process for a while: for want of memory, say. */
  function failToStart(err: unknown): void {
    quickFailures = Math.max(quickFailures, pool.wanted) + 1;
    const delayMs = backoffMs(Math.ceil(quickFailures / pool.wanted), pool.settings.maxBackoffMs);
    log.error({ err, delayMs }, `a worker could not be started; it is tried again in ${delayMs} ms`);
    retryIn(delayMs);
  }

  function retryIn(delayMs: number): void {
    clearTimeout(retry?.timer);
    const timer = setTimeout(() => {
      retry = undefined;
      fill();
    }, delayMs);
    retry = { timer, atMs: performance.now() + delayMs };
  }

  function fill(): void {
    if (isStopping) return;
    try {
      if (retry === undefined) while (serving.length < pool.wanted) serving.push(start());
    } catch (err) {
      failToStart(err);
    }
    // The oldest go first, as they would when they are recycled.
    for (const worker of serving.slice(0, Math.max(0, serving.length - pool.wanted))) pool.retire(worker);
  }

  function remove(worker: WorkerProcess): boolean {
    const place = serving.indexOf(worker);
    if (place !== -1) serving.splice(place, 1);
    return place !== -1;
  }

  async function close(): Promise<void> {
    await Promise.all([...members].map((worker) => worker.exited));
    output.close();
  }

  const pool: Pool = {
    settings: initial,
    wanted: initial.workers,
    generation: 1,
    get failures() {
      return failures;
    },
    get lastFailure() {
      return lastFailure;
    },
    get retryInMs() {
      return retry && Math.max(0, Math.round(retry.atMs - performance.now()));
    },
    members,
    serving,
    get isStopping() {
      return isStopping;
    },
    startCandidate: start,
    admit(worker) {
      serving.push(worker);
    },
    retire(worker) {
      remove(worker);
      worker.retire(true);
    },
    fill,
    forgiveFailures() {
      quickFailures = 0;
      clearTimeout(retry?.timer);
      retry = undefined;
    },
    reopenOutput() {
      for (const worker of members) worker.send({ signalbox: 'cluster', kind: 'reopen' });
      try {
        output.reopen();
      } catch (err) {
        // Whoever rotates files may have made one that is not for us to write to; that must not end the service.
        log.error(
          { err },
          'what workers print goes on to the file from before, since it cannot be opened again',
        );
      }
    },
    stop(quick) {
      isStopping = true;
      clearTimeout(retry?.timer);
      retry = undefined;
      for (const worker of members) {
        if (quick) worker.quit();
        else worker.retire(false);
      }
      gone ??= close();
      return gone;
    },
  };
  return pool;
}

/** Up to a tenth more for each, always the same for one, so that not all go at once. */
function ageOf({ id }: WorkerProcess, maxAgeMs: number): number {
  return maxAgeMs * (1 + ((id * 7) % 10) / 100);
}

function named({ id, pid }: WorkerProcess): { worker: number; pid: number | undefined } {
  return { worker: id, pid };
}

function publishState(worker: WorkerProcess, code?: number): void {
  if (!signals.workerState.hasSubscribers) return;
  signals.workerState.publish({ ...named(worker), state: worker.state, code });
}
