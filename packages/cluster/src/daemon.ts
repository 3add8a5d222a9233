import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { ClusterError, type ClusterErrorCode, fileError } from './cluster-error.js';

/** What the process in the background says to the one that started it. */
export type DaemonNews =
  | { kind: 'ready'; words: string }
  | { kind: 'failed'; code: ClusterErrorCode; message: string };

const VARIABLE = 'SIGNALBOX_DAEMON';

/** Whether this process is the one in the background. */
export function isDaemon(env: NodeJS.ProcessEnv): boolean {
  return env[VARIABLE] === '1' && process.send !== undefined;
}

/** Tells the one that waits in the foreground, and lets it go. */
export function tellForeground(news: DaemonNews): void {
  delete process.env[VARIABLE];
  process.send?.(news, undefined, undefined, () => {
    if (process.connected) process.disconnect();
  });
}

/**
 * Starts the same command in the background, in a session of its own, and waits until it serves.
 *
 * @returns what it says
 * @throws {ClusterError} when it failed
 */
export async function startInBackground(argv: readonly string[], outputFile: string): Promise<string> {
  const output = open(outputFile);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...argv], {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env: { ...process.env, [VARIABLE]: '1' },
  });
  const news = await new Promise<DaemonNews>((resolve) => {
    child.once('message', (message) => resolve(message as DaemonNews));
    child.once('error', ({ message }) => resolve({ kind: 'failed', code: 'failed', message }));
    child.once('exit', (code, signal) => {
      const message = `the manager ended with ${signal ?? `code ${code}`}; ${outputFile} may say why`;
      resolve({ kind: 'failed', code: 'start_failed', message });
    });
  });
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  if (news.kind === 'failed') throw new ClusterError(news.code, news.message);
  return news.words;
}

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw fileError('write to', path, error);
  }
}
