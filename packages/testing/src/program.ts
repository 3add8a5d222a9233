import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { keepGroup } from './keeper.js';

export interface ProgramOptions {
  /** What to call it in errors; by default the command. */
  name?: string | undefined;
  cwd?: string | undefined;
  /** Added to this process' environment; `undefined` takes a variable out. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * When it counts as started: its output matches, the URL answers with a status below 500, or the function
   * returns true. Without it, at once.
   */
  ready?: RegExp | string | (() => Promise<boolean>) | undefined;
  /**
   * How long it may take until then, in milliseconds.
   * @default 30_000
   */
  readyTimeoutMs?: number | undefined;
  /** Run as this user and group, by number. */
  owner?: { uid: number; gid: number } | undefined;
}

/** How a program ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A program that runs. */
export interface Program {
  readonly pid: number;
  /** Everything it wrote so far, stdout and stderr as they came. */
  output(): string;
  stdout(): string;
  stderr(): string;
  /** Settles when it has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  /** Waits until the output matches; looks at what was written before too. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Sends a signal to the process alone. */
  signal(name: NodeJS.Signals): void;
  /** Sends a signal to the process and to all that it started. */
  signalAll(name: NodeJS.Signals): void;
  /** Sends SIGTERM, and SIGKILL to what is left after `graceMs` (2 000). Doing so again does nothing. */
  stop(graceMs?: number): Promise<Exit>;
  /** Ends it and all that it started, at once, as a power cut would. */
  kill(): Promise<Exit>;
  /** Lets this process end while the program runs, which ends with it. By default it is waited for. */
  unref(): void;
}

/** What is kept of a program's output; a test that writes more has a bug. */
const MAX_OUTPUT = 4 * 1024 * 1024;

/**
 * Starts a program in a process group of its own and waits until it is ready. It never outlives this process.
 *
 * @throws when it cannot be started, ends before it is ready, or is not ready in time; its output is in the message
 */
export async function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Program> {
  const { name = command, ready, readyTimeoutMs = 30_000 } = options;
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.owner,
  });
  // At once: from here on it would outlive this process.
  const forget = child.pid === undefined ? () => {} : keepGroup(child.pid);
  const pid = await started(child, name);
  const program = track(child, pid, name, forget);

  try {
    if (ready !== undefined) await becomesReady(program, name, ready, readyTimeoutMs);
  } catch (error) {
    await program.kill();
    throw error;
  }
  return program;
}

function started(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number));
    child.once('error', (error) =>
      reject(new Error(`${name} could not be started: ${error.message}`, { cause: error })),
    );
  });
}

function track(child: ChildProcess, pid: number, name: string, forget: () => void): Program {
  const parts: { from: 'stdout' | 'stderr'; text: string }[] = [];
  let length = 0;
  for (const from of ['stdout', 'stderr'] as const) {
    child[from]?.setEncoding('utf8').on('data', (text: string) => {
      length += text.length;
      if (length <= MAX_OUTPUT) parts.push({ from, text });
    });
  }

  let over: Exit | undefined;
  child.once('exit', () => {
    // The leader is gone; what it started and left behind goes too.
    signalGroup(pid, 'SIGKILL');
    forget();
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve((over = { code, signal })));
  });

  const output = (): string => parts.map((part) => part.text).join('');
  const outputOf = (from: string): string =>
    parts
      .filter((part) => part.from === from)
      .map((part) => part.text)
      .join('');

  return {
    pid,
    exited,
    output,
    stdout: () => outputOf('stdout'),
    stderr: () => outputOf('stderr'),
    signal: (signal) => void child.kill(signal),
    signalAll: (signal) => signalGroup(pid, signal),
    async waitFor(pattern, timeoutMs = 10_000) {
      const find = (): RegExpExecArray | null => new RegExp(pattern.source, pattern.flags).exec(output());
      await waitUntil(() => find() !== null || over !== undefined, timeoutMs);
      const match = find();
      if (match) return match;
      const how = over ? `ended with ${describeExit(over)}` : `did not say so within ${timeoutMs} ms`;
      throw new Error(`Waited for ${name} to print ${String(pattern)}; it ${how}. It printed:\n${output()}`);
    },
    async stop(graceMs = 2_000) {
      keepWaiting(child, true);
      if (!over) {
        child.kill('SIGTERM');
        // A stopped process (SIGSTOP) would not even get the SIGTERM.
        child.kill('SIGCONT');
        const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
        await exited;
        clearTimeout(timer);
      }
      return exited;
    },
    async kill() {
      keepWaiting(child, true);
      if (!over) signalGroup(pid, 'SIGKILL');
      return exited;
    },
    unref: () => keepWaiting(child, false),
  };
}

/** Whether this process waits for the child and its output before it ends by itself. */
function keepWaiting(child: ChildProcess, waits: boolean): void {
  const change = waits ? 'ref' : 'unref';
  child[change]();
  for (const pipe of [child.stdout, child.stderr]) if (pipe instanceof Socket) pipe[change]();
}

async function becomesReady(
  program: Program,
  name: string,
  ready: RegExp | string | (() => Promise<boolean>),
  timeoutMs: number,
): Promise<void> {
  if (ready instanceof RegExp) {
    await program.waitFor(ready, timeoutMs);
    return;
  }
  let ended: Exit | undefined;
  void program.exited.then((exit) => (ended = exit));
  const answers = typeof ready === 'function' ? ready : () => answersHttp(ready);
  await waitUntil(async () => ended !== undefined || (await answers()), timeoutMs);
  if (!ended && (await answers())) return;
  const how = ended ? `ended with ${describeExit(ended)}` : `was not ready within ${timeoutMs} ms`;
  throw new Error(`${name} ${how}. It printed:\n${program.output()}`);
}

/** Whether the URL answers, with a status below 500. */
export async function answersHttp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000), redirect: 'manual' });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    // Not listening yet.
    return false;
  }
}

function signalGroup(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-id, signal);
  } catch (error) {
    // ESRCH: nobody is left in it, which is what was wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : signal;
}

/** Asks every 10 ms until the answer is true or the time is up. Says which; does not throw. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
