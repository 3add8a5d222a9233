import cluster from 'node:cluster';
import { clusterMetrics } from '@signalbox/metrics';
import { requireInteger } from '@signalbox/options';
import {
  type Address,
  ListenError,
  type ServerLog,
  requireFreeAddress,
  signalKeeper,
} from '@signalbox/server';
import { ClusterError } from './cluster-error.js';
import type { Command } from './control-client.js';
import { openControlSocket } from './control-socket.js';
import { type ProcessManager, type RunningManager, openManager } from './manager.js';
import { type ClusterOptions, type ClusterSettings, resolveClusterOptions } from './options.js';
import { watchOrphans } from './orphans.js';
import { claimPidFile } from './pid-file.js';
import { type Ending, obeySignals } from './process-signals.js';
import { systemdNotifier } from './sd-notify.js';
import { type Stopping, openStopping } from './stopping.js';
import { watchFiles } from './watch-files.js';

let isRunning = false;

/**
 * Runs a program in several processes that share an address, and keeps them running: replaces those that crash, hang
 * or have done their time, and all of them for a new version without losing a request. Resolves when the workers
 * listen.
 *
 * @throws {TypeError} when an option is wrong
 * @throws {ClusterError} when it cannot be started; `code` says why
 *
 * @example
 * if (cluster.isPrimary) await startCluster({ entry: 'dist/main.js', workers: 4, bind: '0.0.0.0:8889' });
 */
export async function startCluster(options: ClusterOptions): Promise<ProcessManager> {
  return startManager(resolveClusterOptions(options));
}

/** What was opened, to be closed in the opposite order. */
type Closer = () => unknown;

/** @param reread reads the settings again for a reload */
export async function startManager(
  settings: ClusterSettings,
  reread: () => Promise<ClusterSettings> = () => Promise.resolve(settings),
): Promise<ProcessManager> {
  if (!cluster.isPrimary)
    throw new Error('startCluster: must be called in the primary process, not in a worker');
  if (isRunning) throw new Error('startCluster: there can be one manager in a process');
  isRunning = true;

  const closers: Closer[] = [() => (isRunning = false)];
  async function close(): Promise<void> {
    for (const closer of closers.splice(0).toReversed()) await closer();
  }
  try {
    return await start(settings, reread, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  settings: ClusterSettings,
  reread: () => Promise<ClusterSettings>,
  closers: Closer[],
  close: () => Promise<void>,
): Promise<ProcessManager> {
  const { log, address, pidFile, controlSocket, outputFile } = settings;
  // Round robin hands connections over by messages, and loses some when the machine is busy.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const systemd = systemdNotifier(process.env, log);
  closers.push(() => systemd.close());

  let manager: RunningManager | undefined;
  let isStarted = false;
  /** What the settings opened in this process, such as a timer, shall not keep it. */
  async function end(quick: boolean): Promise<void> {
    await stopping.stop({ quick });
    if (settings.signals && isStarted) process.exit();
  }
  if (controlSocket !== undefined) {
    const control = await openControlSocket(controlSocket, async (command) => {
      if (manager === undefined) throw new Error('the manager is only just starting');
      return obey(command, manager, end);
    });
    closers.push(() => control.close());
  }
  if (pidFile !== undefined) closers.push(claimPidFile(pidFile));
  if (address !== undefined) await requireFree(address);

  manager = openManager(settings, async () => fitted(settings, await reread()), {
    onState(state, words) {
      if (state === 'ready') systemd.ready(words);
      if (state === 'reloading') systemd.reloading(words);
      if (state === 'stopping') systemd.stopping(words);
    },
  });
  const stopping = openStopping(manager, close);
  if (settings.metrics) {
    const metrics = clusterMetrics();
    closers.push(() => metrics.close());
  }
  const ending: Ending = { bySignal: false };
  if (settings.signals) closers.push(obeySignals(manager, stopping, ending, log));
  closers.push(watchOrphans(log));
  warnOfParent(settings.signals, log);

  const started = startWorkers(manager, stopping, ending);
  if (settings.watch.length > 0) {
    // A change during the start counts, too.
    const reload = (): void => void started.then(() => manager?.reload()).catch(() => undefined);
    const socket = address !== undefined && 'socket' in address ? address.socket : undefined;
    const own = [pidFile, controlSocket, outputFile, socket].filter((path) => path !== undefined);
    closers.push(watchFiles(settings.watch, own, log, reload));
  }
  await started;
  isStarted = true;
  return { ...manager, scale: checkedScale(manager), stop: stopping.stop };
}

/** What a reload can change; the rest takes a restart. */
function fitted(settings: ClusterSettings, changed: ClusterSettings): ClusterSettings {
  const { address, pidFile, controlSocket, outputFile, watch, metrics, signals, log } = settings;
  if (JSON.stringify(changed.address) !== JSON.stringify(address)) {
    log.warn({}, 'where workers listen changes with a restart, not with a reload');
  }
  return { ...changed, address, pidFile, controlSocket, outputFile, watch, metrics, signals, log };
}

async function startWorkers(manager: RunningManager, stopping: Stopping, ending: Ending): Promise<void> {
  try {
    await manager.start();
  } catch (error) {
    if (stopping.isStopping) {
      // Whoever stopped it has what they wanted, and the process exits as it would have later.
      if (ending.bySignal) return new Promise(() => undefined);
      throw new ClusterError('stopped', 'the manager was told to stop before its workers were ready');
    }
    await manager.stop({ quick: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new ClusterError('start_failed', `the program does not start: ${reason}`, { cause: error });
  }
}

/** @throws {ClusterError} when nobody can listen there */
export async function requireFree(address: Address): Promise<void> {
  try {
    await requireFreeAddress(address);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    // What serve() advises is for those who call it.
    const [fact = error.message] = error.message.split(';');
    const code =
      error.code === 'EADDRINUSE'
        ? 'address_in_use'
        : error.code === 'EACCES' || error.code === 'EPERM'
          ? 'no_permission'
          : 'failed';
    throw new ClusterError(code, `${fact}; choose another address with "bind"`, { cause: error });
  }
}

async function obey(
  command: Command,
  manager: RunningManager,
  end: (quick: boolean) => Promise<void>,
): Promise<unknown> {
  if (command === 'reload') return manager.reload();
  if (command === 'stop' || command === 'quit') void end(command === 'quit');
  return manager.status();
}

function checkedScale(manager: RunningManager): ProcessManager['scale'] {
  return (workers) => {
    requireInteger('scale', 'workers', workers, 1, 1_024);
    manager.scale(workers);
  };
}

function warnOfParent(obeysSignals: boolean, log: ServerLog): void {
  const parent = obeysSignals ? signalKeeper() : undefined;
  if (parent === undefined) return;
  log.warn(
    { parent },
    `this process was started by ${parent}, which does not pass SIGTERM on, so that the workers would be killed without a drain; start node itself, or write "exec node ..."`,
  );
}
