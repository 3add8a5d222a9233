// Runs in every worker before the program does (`node --import`): tells the manager how it goes, and obeys.
import cluster from 'node:cluster';
import { subscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { Server } from 'node:net';
import { Worker, isMainThread } from 'node:worker_threads';
import { signals } from '@signalbox/signals';
import {
  type FromManager,
  type FromWorker,
  type Listening,
  ORDERS_VARIABLE,
  REPLACED_VARIABLE,
  REPORT_FD,
  type Report,
  type WorkerOrders,
  isOurs,
} from './messages.js';

const orders = process.env[ORDERS_VARIABLE];
delete process.env[ORDERS_VARIABLE];
// Threads, and what the program starts with `child_process.fork`, come by here as well.
if (orders !== undefined && cluster.isWorker && isMainThread) obey(JSON.parse(orders) as WorkerOrders);

function obey(given: WorkerOrders): void {
  leaveSignalsToTheManager();
  drainWhenTheManagerIsGone();
  reportCrashes();
  const requests = countRequests(given.maxRequests);
  beat(given, requests);

  process.on('message', (message) => {
    if (!isOurs(message)) return;
    const order = message as FromManager;
    if (order.kind === 'reopen') signals.logsMoved.publish({ toldBy: 'SIGUSR2' });
    if (order.kind === 'retire') retire(order.replaced);
    if (order.kind === 'quit') process.exit();
  });
  let first: object | undefined;
  signals.serverState.subscribe(({ server, state }) => {
    if (state === 'ready') {
      if (first === undefined && given.isSocketInherited)
        tell({ signalbox: 'cluster', kind: 'listening', where: placeOf(server) });
      first ??= server;
    }
    // A program may open and close others, such as one for metrics.
    if (state === 'draining' && server === first) tell({ signalbox: 'cluster', kind: 'draining' });
  });
}

/** As node:cluster would tell it. */
function placeOf(server: object): Listening {
  const bound = server instanceof Server ? server.address() : null;
  if (bound === null || typeof bound === 'string') return { address: bound ?? '', port: 0, addressType: -1 };
  return { address: bound.address, port: bound.port, addressType: bound.family === 'IPv6' ? 6 : 4 };
}

/** What a terminal sends reaches the whole group of processes; by default it would end this one. */
function leaveSignalsToTheManager(): void {
  for (const name of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const) process.on(name, () => undefined);
}

/** By itself node:cluster would exit at once, with requests under way. */
function drainWhenTheManagerIsGone(): void {
  cluster.worker?.once('disconnect', () => {
    if (cluster.worker === undefined || cluster.worker.exitedAfterDisconnect) return;
    cluster.worker.exitedAfterDisconnect = true;
    retire(false);
  });
}

/** By the signal that every server drains on, whatever it is made of. */
function retire(replaced: boolean): void {
  if (replaced) process.env[REPLACED_VARIABLE] = '1';
  process.kill(process.pid, 'SIGTERM');
}

function reportCrashes(): void {
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    report({ kind: 'crash', error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
}

/** By the event that Node itself publishes for every request, whatever framework answers it. */
function countRequests(max: number): () => number {
  let count = 0;
  subscribe('http.server.request.start', () => {
    count += 1;
    if (count === max) tell({ signalbox: 'cluster', kind: 'tired' });
  });
  return () => count;
}

function beat({ beatMs, stuckAfterMs }: WorkerOrders, requests: () => number): void {
  const pulse = new Int32Array(new SharedArrayBuffer(4));
  const say = (): void => {
    Atomics.add(pulse, 0, 1);
    const memoryBytes = process.memoryUsage.rss();
    tell({ signalbox: 'cluster', kind: 'beat', memoryBytes, requests: requests() });
  };
  say();
  setInterval(say, beatMs).unref();
  if (stuckAfterMs !== 0) watch(pulse, beatMs, stuckAfterMs);
}

/** Has a thread look whether the event loop turns: when it does not, nobody else in this process can tell why. */
function watch(pulse: Int32Array, beatMs: number, stuckAfterMs: number): void {
  const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), {
    workerData: { pulse, beatMs, stuckAfterMs },
    // Not this file again, and no debugger.
    execArgv: [],
    env: {},
    name: 'signalbox-watchdog',
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  watchdog.unref();
  // Without it a block is still noticed, by the manager.
  watchdog.on('error', (error) => process.emitWarning(error));
}

function tell(news: FromWorker): void {
  // An error means that the manager is gone; `disconnect` says so too.
  if (process.connected) process.send?.(news, undefined, undefined, () => undefined);
}

function report(news: Report): void {
  try {
    writeSync(REPORT_FD, `${JSON.stringify(news)}\n`);
  } catch {
    // The manager is gone.
  }
}
