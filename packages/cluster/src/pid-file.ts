import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ClusterError, fileError } from './cluster-error.js';

/** Where the command keeps it unless it is told otherwise. */
export function defaultPidFile(): string {
  return resolve('signalbox.pid');
}

/** Where the manager of a pid file takes commands unless it is told otherwise. */
export function controlSocketOf(pidFile: string): string {
  return `${pidFile}.sock`;
}

/**
 * Writes this process' id. A file that a dead process left behind is replaced.
 *
 * @returns a function that removes it, unless it is somebody else's by now
 * @throws {ClusterError} when the process named there still runs, or the file cannot be written
 */
export function claimPidFile(path: string): () => void {
  const owner = runningOwner(path);
  if (owner !== undefined) {
    throw new ClusterError(
      'already_running',
      `${path} names process ${owner}, which runs; stop it first, or choose another pid file`,
    );
  }
  try {
    // A name appears whole or not at all, so that nobody reads half an id.
    writeFileSync(`${path}.${process.pid}`, `${process.pid}\n`, { mode: 0o644 });
    renameSync(`${path}.${process.pid}`, path);
  } catch (error) {
    throw fileError('write the pid file', path, error);
  }
  const release = (): void => {
    process.off('exit', release);
    if (readPid(path) === process.pid) rmSync(path, { force: true });
  };
  // Of a manager that crashes, too.
  process.once('exit', release);
  return release;
}

/** The process that a pid file names; `undefined` where there is no such file, or no such number in it. */
export function readPid(path: string): number | undefined {
  const text = read(path)?.trim() ?? '';
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

/** As {@link readPid}, where that process runs and has not merely been given the same number later. */
export function runningOwner(path: string): number | undefined {
  const pid = readPid(path);
  if (pid === undefined || pid === process.pid || !isRunning(pid)) return undefined;
  const startedMs = processStartMs(pid);
  // The file is written right after the start; clocks tick in hundredths of a second.
  const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return startedMs !== undefined && startedMs > writtenMs + 1_000 ? undefined : pid;
}

/** A process that has ended, and whose exit code nobody has collected yet, does not run. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return statFields(pid)?.[0] !== 'Z';
}

/** When a process began, as a time of day; `undefined` where there is no /proc to tell. */
function processStartMs(pid: number): number | undefined {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1]);
  // Field 22 of the line, in hundredths of a second.
  const startMs = (bootSeconds + Number(statFields(pid)?.[19]) / 100) * 1_000;
  return Number.isFinite(startMs) ? startMs : undefined;
}

/** What /proc says of a process (proc(5)), from the third field on: the second, its name, may hold anything. */
function statFields(pid: number): string[] | undefined {
  return read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // No Linux, or the process is gone.
    return undefined;
  }
}
