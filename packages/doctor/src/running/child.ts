import { type ChildProcess, spawn } from 'node:child_process';

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A program that ends with us, and takes all that it started with it. */
export interface Child {
  /** The end of what it printed. */
  output(): string;
  /** How it ended; `undefined` while it runs. */
  exit(): Exit | undefined;
  readonly ended: Promise<void>;
  terminate(): void;
  /** Ends it and all that it started, at once. Doing so again does nothing. */
  kill(): void;
  /** As `kill`, and lets go of it. */
  release(): void;
}

const KEPT = 4_000;
/** What it left behind may hold its streams open. */
const STREAMS_MS = 500;
const OURS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @param whenReleased called when we let go of it, also where a signal has us do so */
export function startChild(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
  whenReleased: () => void,
): Child {
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-KEPT)));
  }
  let exit: Exit | undefined;
  const ended = whenEnded(child, (how, message) => {
    exit = how;
    output += message;
  });
  const kill = (): void => killGroup(child.pid);
  // In a group of its own it does not hear what a terminal tells us.
  const pass = (signal: NodeJS.Signals): void => {
    release();
    process.kill(process.pid, signal);
  };
  const release = (): void => {
    process.off('exit', kill);
    for (const signal of OURS) process.off(signal, pass);
    kill();
    child.stdout.destroy();
    child.stderr.destroy();
    whenReleased();
  };
  process.once('exit', kill);
  for (const signal of OURS) process.once(signal, pass);
  return {
    output: () => output,
    exit: () => exit,
    ended,
    terminate: () => void child.kill('SIGTERM'),
    kill,
    release,
  };
}

function whenEnded(child: ChildProcess, tell: (exit: Exit, message: string) => void): Promise<void> {
  return new Promise<void>((resolve) => {
    child.once('error', (error) => {
      tell({ code: null, signal: null }, error.message);
      resolve();
    });
    child.once('exit', (code, signal) => {
      const finish = (): void => {
        tell({ code, signal }, '');
        resolve();
      };
      const timer = setTimeout(finish, STREAMS_MS);
      child.once('close', () => {
        clearTimeout(timer);
        finish();
      });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}
