import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '@signalbox/server';
import { formatAddress } from './bind.js';
import { workerEnvironment } from './environment.js';
import type { WorkerExit } from './hooks.js';
import {
  type FromManager,
  type FromWorker,
  type Listening,
  REPORT_FD,
  type Report,
  isOurs,
} from './messages.js';
import type { ClusterSettings } from './options.js';

/** Where a worker is in its life. */
export type WorkerState = 'starting' | 'ready' | 'draining' | 'stuck' | 'exited';

/** What the manager does about the news of a worker. */
export interface WorkerEvents {
  onState(worker: WorkerProcess): void;
  onBeat(worker: WorkerProcess): void;
  /** It listens, but not where it was told to. */
  onElsewhere(worker: WorkerProcess, place: string): void;
  /** It is as far as its orders go. */
  onTired(worker: WorkerProcess): void;
  onStuck(worker: WorkerProcess, stack: string | undefined): void;
  onAsk(worker: WorkerProcess, ask: number, what: 'status' | 'reload'): void;
}

/** One process that runs the program. */
export interface WorkerProcess {
  readonly id: number;
  readonly pid: number | undefined;
  /** Which reload it belongs to, from 1. */
  readonly generation: number;
  readonly state: WorkerState;
  /** By `performance.now()`. */
  readonly startedMs: number;
  readonly readyMs: number | undefined;
  readonly listening: Listening | undefined;
  /** What it was started with. */
  readonly settings: ClusterSettings;
  /** Where it was told to listen. */
  readonly address: Address | undefined;
  /** As it last said. */
  readonly memoryBytes: number;
  readonly requests: number;
  /** It has answered as many requests as it was to. */
  readonly isTired: boolean;
  /** It was told to end, was given so long, and had to be killed. */
  readonly overdueMs: number | undefined;
  /** Ticks of the manager since the last beat. */
  missedBeats: number;
  /** What it said before it crashed. */
  readonly crash: string | undefined;
  /** Resolves when it listens, rejects with a sentence when it never will. */
  readonly ready: Promise<void>;
  /** Resolves when it is gone. */
  readonly exited: Promise<WorkerExit>;
  /**
   * Has it drain, and kills it when it takes too long.
   *
   * @param replaced whether others have taken its place
   */
  retire(replaced: boolean): void;
  /** Has it end at once. */
  quit(): void;
  kill(): void;
  markStuck(): void;
  send(message: FromManager): void;
}

/** A worker that is told to end at once has this long. */
const QUIT_WITHIN_MS = 1_000;

const LAST_WORDS_MS = 250;

const PRELOAD = new URL('./worker.js', import.meta.url).href;

/** What the manager decides anew for each worker. */
export interface WorkerPlan {
  readonly settings: ClusterSettings;
  readonly generation: number;
  /** How many there are to be, this one included. */
  readonly workers: number;
  /** Where its standard output and error go. */
  readonly output: number | 'inherit';
  /** Where it is told to listen. */
  readonly address: Address | undefined;
  /** More variables for its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a worker. */
export function startWorker(plan: WorkerPlan, events: WorkerEvents): WorkerProcess {
  const { settings, generation, output, address } = plan;
  cluster.setupPrimary({
    exec: settings.entry,
    args: [...settings.args],
    execArgv: [...process.execArgv, ...settings.nodeArgs, '--import', PRELOAD],
    // Socket.IO's adapter for workers sends bytes, too.
    serialization: 'advanced',
    // Behind them the channel of node:cluster, the pipe for reports, and the socket that was inherited.
    stdio: ['ignore', output, output, 'ipc', 'pipe', ...(address && 'fd' in address ? [address.fd] : [])],
  });
  const forked = cluster.fork(workerEnvironment(plan));
  const child = forked.process;
  const startedMs = performance.now();
  let state: WorkerState = 'starting';
  let listening: Listening | undefined;
  let otherPlace: string | undefined;
  let readyMs: number | undefined;
  let memoryBytes = 0;
  let requests = 0;
  let crash: string | undefined;
  let isTired = false;
  let overdueMs: number | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let startError: Error | undefined;
  let settle = (): void => undefined;

  function enter(next: WorkerState): void {
    if (state === next || state === 'exited') return;
    state = next;
    events.onState(worker);
  }

  /** Kills it unless it is gone in time. */
  function expectEnd(withinMs: number): void {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      overdueMs = withinMs;
      worker.kill();
    }, withinMs);
  }

  function signal(name: NodeJS.Signals): void {
    if (state !== 'exited') child.kill(name);
  }

  function arrive(where: Listening): void {
    if (listening !== undefined) return;
    clearTimeout(lateStart);
    listening = where;
    readyMs = performance.now();
    if (state === 'starting') enter('ready');
    settle();
  }

  const lateStart = setTimeout(() => {
    const but = otherPlace === undefined ? '' : `, but on ${otherPlace}`;
    const where = address === undefined ? '' : ` on ${formatAddress(address)}`;
    startError = new Error(`did not listen${where} within ${settings.readyTimeoutMs} ms${but}`);
    worker.kill();
  }, settings.readyTimeoutMs);

  forked.on('message', (message: unknown) => {
    if (!isOurs(message)) return;
    const news = message as FromWorker;
    if (news.kind === 'beat') {
      ({ memoryBytes, requests } = news);
      worker.missedBeats = 0;
      events.onBeat(worker);
    }
    if (news.kind === 'listening') arrive(news.where);
    if (news.kind === 'draining' && state === 'ready') {
      expectEnd(settings.drainTimeoutMs);
      enter('draining');
    }
    if (news.kind === 'tired') {
      isTired = true;
      events.onTired(worker);
    }
    if (news.kind === 'ask') events.onAsk(worker, news.ask, news.what);
  });
  // The channel may be gone before the process is; `exit` says so too.
  forked.on('error', (error) => (startError ??= error));

  // Where the system has no descriptor left there are no pipes at all, whatever the types say.
  const pipes: ChildProcess['stdio'] | undefined = child.stdio;
  const reports = readReports(pipes?.[REPORT_FD], onReport);
  const exited = exitOf(child).then(async (exit) => {
    clearTimeout(lateStart);
    clearTimeout(deadline);
    // Its last words are still in the pipe, unless a child of its own holds that open.
    await Promise.race([reports, delay(LAST_WORDS_MS)]);
    enter('exited');
    return exit;
  });
  const ready = new Promise<void>((resolve, reject) => {
    settle = resolve;
    forked.on('listening', (where: Listening) => {
      if (listening !== undefined) return;
      // A program may listen elsewhere, too, and before: for metrics, say.
      const elsewhere = placeOutside(address, where);
      if (elsewhere === undefined) return arrive(where);
      otherPlace = elsewhere;
      events.onElsewhere(worker, elsewhere);
    });
    void exited.then((exit) => reject(new Error(describeEnd(exit, startError, crash, settings))));
  });
  // Whoever waits for it is told; nobody has to.
  ready.catch(() => undefined);

  function onReport(report: Report): void {
    if (report.kind === 'crash') crash = report.error;
    else events.onStuck(worker, report.stack);
  }

  const worker: WorkerProcess = {
    id: forked.id,
    pid: child.pid,
    generation,
    get state() {
      return state;
    },
    startedMs,
    get readyMs() {
      return readyMs;
    },
    get listening() {
      return listening;
    },
    get memoryBytes() {
      return memoryBytes;
    },
    get requests() {
      return requests;
    },
    settings,
    address,
    get isTired() {
      return isTired;
    },
    get overdueMs() {
      return overdueMs;
    },
    missedBeats: 0,
    get crash() {
      return crash;
    },
    ready,
    exited,
    retire(replaced) {
      if (state === 'draining' || state === 'stuck' || state === 'exited') return;
      expectEnd(settings.drainTimeoutMs);
      // What is sent to a process that does not listen yet is lost.
      if (state === 'starting' || !forked.isConnected()) signal('SIGTERM');
      else worker.send({ signalbox: 'cluster', kind: 'retire', replaced });
      enter('draining');
    },
    quit() {
      if (state === 'exited') return;
      expectEnd(QUIT_WITHIN_MS);
      if (state === 'starting') worker.kill();
      else worker.send({ signalbox: 'cluster', kind: 'quit' });
      enter('draining');
    },
    kill: () => signal('SIGKILL'),
    markStuck: () => enter('stuck'),
    send(message) {
      // An error means that it is leaving; its exit says so too.
      if (forked.isConnected()) forked.send(message, () => undefined);
    },
  };
  events.onState(worker);
  return worker;
}

async function exitOf(child: ChildProcess): Promise<WorkerExit> {
  // `error` instead of `exit`: it could not even be started.
  const [code, signal] = await once(child, 'exit').catch(() => [null, null] as const);
  return { code: code ?? undefined, signal: signal ?? undefined };
}

async function readReports(pipe: unknown, onReport: (report: Report) => void): Promise<void> {
  if (!(pipe instanceof Readable)) return;
  for await (const line of createInterface({ input: pipe })) {
    try {
      onReport(JSON.parse(line) as Report);
    } catch {
      // Killed in the middle of the line.
    }
  }
}

function describeEnd(
  exit: WorkerExit,
  startError: Error | undefined,
  crash: string | undefined,
  { outputFile }: ClusterSettings,
): string {
  if (startError !== undefined) return startError.message;
  const how = exit.signal === undefined ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  // What it printed itself, of a wrong setting say, nobody sees who waits for a daemon.
  const printed = outputFile === undefined ? '' : `; ${outputFile} may say why`;
  const why = crash === undefined ? printed : `: ${crash.split('\n', 1)[0]}`;
  return `${how} before it listened${why}`;
}

/** Where it listens, if that is not where it was told to. */
function placeOutside(address: Address | undefined, found: Listening): string | undefined {
  if (address === undefined) return undefined;
  const place = found.addressType === -1 ? `unix:${found.address}` : `port ${found.port}`;
  if ('fd' in address) return place;
  if ('socket' in address) return place === `unix:${address.socket}` ? undefined : place;
  // Any port will do where 0 was asked for.
  return found.addressType !== -1 && (address.port === 0 || address.port === found.port) ? undefined : place;
}
