import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const SHELLS: ReadonlySet<string> = new Set(['sh', 'ash', 'bash', 'dash', 'ksh', 'zsh', 'busybox']);
/** Terminals of editors start bash with a file of their own. */
const VALUED = /^(?:--rcfile|--init-file|[-+][oO])$/;
const RUNNERS = ['npm', 'npx', 'pnpm', 'yarn'];

/**
 * Names the parent that would keep SIGTERM to itself: a shell that runs a command line or a script, and npm where it
 * does so through one. Whoever stops the parent then waits in vain for this process to drain, and kills it. An
 * interactive shell is none, nor any other that gives its jobs process groups of their own: there somebody stops the
 * process itself.
 *
 * @returns such as `npm, by way of sh`; `undefined` where there is none, or no /proc to tell
 */
export function signalKeeper(parent: number = process.ppid): string | undefined {
  const [command = '', ...args] = commandLineOf(parent);
  const shell = basename(command).replace(/^-/, '');
  if (!SHELLS.has(shell) || !runsSomething(args)) return undefined;
  // A container is stopped by its first process alone, whatever groups there are.
  if (parent !== 1 && groupOf(parent) !== groupOf('self')) return undefined;
  const runner = runnerOf(parentOf(parent));
  return runner === undefined ? shell : `${runner}, by way of ${shell}`;
}

/** Any argument that is no option, and no option's value, is a command, or the path of a script. */
function runsSomething(args: readonly string[]): boolean {
  return args.some((arg, i) => !/^[-+]/.test(arg) && !VALUED.test(args[i - 1] ?? ''));
}

/** npm says its name in place of its command line; the others are scripts that Node runs. */
function runnerOf(pid: number): string | undefined {
  const words = commandLineOf(pid)
    .flatMap((part) => part.split(' '))
    .slice(0, 2);
  return RUNNERS.find((runner) => words.some((word) => basename(word).split(/[.-]/)[0] === runner));
}

function commandLineOf(pid: number): string[] {
  const parts = read(`/proc/${pid}/cmdline`).split('\0');
  return parts.filter((part) => part !== '');
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** The name of the program stands in brackets and may hold anything; behind it are state, parent and group (proc(5)). */
function groupOf(pid: number | 'self'): string | undefined {
  return read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')[2];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // No Linux, or the process is gone.
    return '';
  }
}
