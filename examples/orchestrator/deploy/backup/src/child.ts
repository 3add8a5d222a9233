import { spawn, type ChildProcess } from 'node:child_process';
import { BackupError } from './failure.js';

/** As much of what a program says is kept: its last words. */
const MAX_WORDS = 2_000;

const packageOf: Readonly<Record<string, string>> = {
  pg_dump: 'postgresql-client',
  pg_restore: 'postgresql-client',
  'redis-cli': 'redis-tools',
  'redis-server': 'redis-server',
  flock: 'util-linux',
};

export interface ToolOptions {
  /** Added to the environment. Secrets go this way: arguments can be read by everybody on the machine. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Ends the program. */
  signal?: AbortSignal | undefined;
}

/** A program of the system that does a part of the work. */
export interface Tool {
  readonly child: ChildProcess;
  /** Settles when it has ended; rejects with its last words where it failed. */
  readonly done: Promise<void>;
}

/** Starts a program with pipes to and from it. */
export function startTool(command: string, args: readonly string[], options: ToolOptions = {}): Tool {
  options.signal?.throwIfAborted();
  const child = spawn(command, args, {
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    stdio: 'pipe',
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-MAX_WORDS)));

  const end = (): void => void child.kill('SIGTERM');
  options.signal?.addEventListener('abort', end, { once: true });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(notStarted(command, error)));
    child.once('close', (code, signal) => {
      options.signal?.removeEventListener('abort', end);
      if (code === 0) return resolve();
      const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
      reject(new BackupError(`${command} ${how}${words === '' ? '' : `: ${words.trim()}`}`));
    });
  });
  // Whoever started it looks at it later; until then nothing is unhandled.
  done.catch(() => undefined);
  return { child, done };
}

/** Runs a program and gives what it printed. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  const { child, done } = startTool(command, args, options);
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stdin?.end();
  await done;
  return printed;
}

function notStarted(command: string, error: Error): BackupError {
  if (Reflect.get(error, 'code') !== 'ENOENT') return new BackupError(`${command}: ${error.message}`);
  return new BackupError(
    `${command} is not on the PATH; Debian's package is ${packageOf[command] ?? command}`,
  );
}
