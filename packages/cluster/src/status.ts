import type { ReloadOutcome } from './reload-outcome.js';
import type { WorkerState } from './worker-process.js';

/** One worker, as the manager knows it. */
export interface WorkerStatus {
  /** Counts the workers of this manager, from 1. */
  readonly worker: number;
  readonly pid: number | undefined;
  readonly state: WorkerState;
  /** Which start or reload it comes from, from 1. */
  readonly generation: number;
  readonly ageSeconds: number;
  /** Resident memory, as of its last beat. */
  readonly memoryBytes: number;
  /** Requests that it has been given, as of its last beat. */
  readonly requests: number;
}

/** A worker that ended though nobody told it to. */
export interface WorkerFailure {
  /** As ISO 8601. */
  readonly at: string;
  readonly worker: number;
  readonly reason: string;
}

/** What the manager knows of itself and its workers. */
export interface ClusterStatus {
  readonly pid: number;
  readonly state: 'starting' | 'ready' | 'reloading' | 'stopping';
  readonly entry: string;
  /** Where the workers listen. */
  readonly address: string | undefined;
  readonly uptimeSeconds: number;
  readonly workersWanted: number;
  readonly workersReady: number;
  readonly generation: number;
  /** Workers that had to be replaced since they failed. */
  readonly failures: number;
  readonly lastFailure: WorkerFailure | undefined;
  /** Until a worker is started again that keeps crashing, in milliseconds; `undefined` when none waits. */
  readonly retryInMs: number | undefined;
  readonly lastReload: ReloadOutcome | undefined;
  readonly workers: readonly WorkerStatus[];
}

/** For people. */
export function formatStatus(status: ClusterStatus): string {
  const { workersReady, workersWanted, lastReload, lastFailure, retryInMs } = status;
  const facts = [
    ['manager', `process ${status.pid}, ${status.state}, up ${inWords(status.uptimeSeconds)}`],
    ['program', status.entry],
    ['address', status.address ?? 'unknown yet'],
    ['workers', `${workersReady} of ${workersWanted} ready, generation ${status.generation}`],
    ['failures', String(status.failures)],
    ...(lastFailure
      ? [['last failure', `${lastFailure.at}: worker ${lastFailure.worker} ${lastFailure.reason}`]]
      : []),
    ...(retryInMs === undefined ? [] : [['backoff', `next start in ${retryInMs} ms`]]),
    ...(lastReload ? [['last reload', `${lastReload.at}: ${describeReload(lastReload)}`]] : []),
  ];
  const rows = status.workers.map((worker) => [
    String(worker.worker),
    String(worker.pid ?? '–'),
    worker.state,
    String(worker.generation),
    inWords(worker.ageSeconds),
    `${Math.round(worker.memoryBytes / 1_048_576)} MB`,
    String(worker.requests),
  ]);
  const heading = ['worker', 'pid', 'state', 'generation', 'age', 'memory', 'requests'];
  return `${table(facts)}\n\n${table([heading, ...rows])}\n`;
}

/** `done in 1240 ms`, or why not. */
export function describeReload({ outcome, readyMs, durationMs, reason }: ReloadOutcome): string {
  if (outcome === 'rolled_back') return `rolled back, the workers from before go on: ${reason}`;
  if (outcome === 'stopped') return 'given up, the manager was told to stop';
  const gone =
    durationMs === undefined ? 'old workers still drain' : `the old ones gone after ${durationMs} ms`;
  return `done, new workers ready after ${readyMs} ms, ${gone}`;
}

function inWords(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3_600);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
