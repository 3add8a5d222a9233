import { readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Exit, type Program, startProgram, temporaryFolder, waitUntil } from '@signalbox/testing';
import { onTestFinished } from 'vitest';
import { command } from '../src/control-client.js';
import type { ClusterStatus, ReloadOutcome } from '../src/index.js';

/** The command, as it is published. */
export const SIGNALBOX = fileURLToPath(new URL('../bin/signalbox.js', import.meta.url));

export function fixture(name: string): string {
  return isAbsolute(name) ? name : fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** Bound to this, a manager inherits a socket. */
export const INHERITED = 'fd:3';
const HOLDER = fixture('../../../server/test/fixtures/with-a-socket.mjs');

/** What one command said, and how it ended. */
export interface CommandResult extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder in which commands are given. */
export interface Place {
  readonly folder: string;
  readonly pidFile: string;
  path(name: string): string;
  write(name: string, content: string | object): void;
  /** Runs a command to its end. */
  signalbox(...args: string[]): Promise<CommandResult>;
  /** Starts a command that stays. */
  spawn(args: readonly string[], env?: Record<string, string | undefined>): Promise<Program>;
  status(): Promise<ClusterStatus>;
  /** As `signalbox reload` asks, but without a process for each time. */
  reload(): Promise<ReloadOutcome>;
}

export function newPlace(owner?: { uid: number; gid: number }): Place {
  const temporary = temporaryFolder('cluster', owner);
  onTestFinished(() => temporary.remove());
  const folder = temporary.path;
  const path = (name: string): string => join(folder, name);
  const spawn = (args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Program> =>
    startProgram(process.execPath, [...(args.includes(INHERITED) ? [HOLDER] : []), SIGNALBOX, ...args], {
      name: `signalbox ${args.join(' ')}`,
      cwd: folder,
      env: { ...quiet(), ...env },
      owner,
    });

  return {
    folder,
    pidFile: path('signalbox.pid'),
    path,
    write(name, content) {
      writeFileSync(path(name), typeof content === 'string' ? content : JSON.stringify(content));
    },
    async signalbox(...args) {
      const program = await spawn(args);
      const exit = await program.exited;
      return { ...exit, stdout: program.stdout(), stderr: program.stderr() };
    },
    spawn,
    async reload() {
      return (await command(`${path('signalbox.pid')}.sock`, 'reload', 60_000)) as ReloadOutcome;
    },
    async status() {
      return (await command(`${path('signalbox.pid')}.sock`, 'status', 10_000)) as ClusterStatus;
    },
  };
}

/** Vitest's own variables are nobody else's business. */
function quiet(): Record<string, undefined> {
  return { VITEST: undefined, NODE_ENV: undefined, NODE_OPTIONS: undefined, LOG_LEVEL: undefined };
}

/** A line of the manager's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A manager whose workers serve. */
export interface RunningCluster extends Place {
  readonly program: Program;
  readonly url: string;
  /** What the manager has logged. */
  lines(): LogLine[];
  /** Waits for a line whose message matches. */
  said(pattern: RegExp, timeoutMs?: number): Promise<LogLine>;
}

export interface StartOptions {
  app?: string | undefined;
  workers?: number | undefined;
  /** Unless it is given, a free port. */
  bind?: string | undefined;
  args?: readonly string[] | undefined;
  env?: Record<string, string | undefined> | undefined;
  place?: Place | undefined;
}

/** Starts a manager in the foreground and waits until its workers serve. It ends with the test. */
export async function startCluster(options: StartOptions = {}): Promise<RunningCluster> {
  const { app = 'app.mjs', workers = 1, bind = '127.0.0.1:0', args = [], env, place = newPlace() } = options;
  const program = await place.spawn(
    ['start', fixture(app), '--workers', String(workers), '--bind', bind, ...args],
    env,
  );
  onTestFinished(() => program.kill().then(() => undefined));
  const [, address = ''] = await program.waitFor(/workers? serve (\S+?)"/, 30_000);
  const lines = (): LogLine[] => parseLines(program.stdout());
  return {
    ...place,
    program,
    url: address.startsWith('unix:') ? address : `http://${address}`,
    lines,
    async said(pattern, timeoutMs = 20_000) {
      const find = (): LogLine | undefined => lines().find(({ msg }) => pattern.test(msg));
      await waitUntil(() => find() !== undefined, timeoutMs);
      const line = find();
      if (line === undefined) throw new Error(`${pattern} was not said:\n${program.output()}`);
      return line;
    },
  };
}

function parseLines(text: string): LogLine[] {
  // The last line may still be on its way.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

/** Fails with the status, unless the condition comes true. */
export async function becomesTrue(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  if (!(await waitUntil(condition, timeoutMs))) throw new Error(`not within ${timeoutMs} ms: ${what}`);
}

export async function pidOf(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return ((await response.json()) as { pid: number }).pid;
}

/** Process ids of the workers that are ready, in order. */
export function readyPids({ workers }: ClusterStatus): number[] {
  return workers
    .filter(({ state }) => state === 'ready')
    .map(({ pid }) => pid ?? 0)
    .toSorted((a, b) => a - b);
}

export function textOf(path: string): string {
  return readFileSync(path, 'utf8');
}
