import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { constants as system } from 'node:os';
import { dirname, join } from 'node:path';
import { ClusterError } from './cluster-error.js';
import { COMMANDS } from './command-words.js';

/** Commands that come with other packages. */
const PACKAGES: Readonly<Record<string, string>> = {
  doctor: '@signalbox/doctor',
  emit: '@signalbox/emitter',
};

/** Passed on; what a terminal sends reaches both by itself, and the command decides how it ends. */
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP'];
const LEFT_TO_IT: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/**
 * The program behind a command that is not one of ours: `signalbox x` runs an installed `signalbox-x`.
 *
 * @returns its path; `undefined` for our own commands, and for what names no program
 * @throws {ClusterError} when it belongs to a package that is not installed
 */
export function findOtherCommand(word: string | undefined, folder: string): string | undefined {
  const isOwn = COMMANDS.some((name) => name === word);
  if (word === undefined || isOwn || !/^[a-z][a-z\d-]*$/.test(word)) return undefined;
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, 'node_modules/.bin', `signalbox-${word}`);
    if (isProgram(path)) return path;
    if (dirname(at) === at) break;
  }
  const owner = Object.hasOwn(PACKAGES, word) ? PACKAGES[word] : undefined;
  if (owner === undefined) return undefined;
  throw new ClusterError('wrong_options', `${word} is not installed here: npm install --save-dev ${owner}`);
}

function isProgram(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    throw new ClusterError('no_permission', `no permission to run ${path}`);
  }
}

/** Runs it in our place, without a shell: its arguments, streams and exit code are its own. */
export function runOtherCommand(path: string, args: readonly string[]): Promise<void> {
  const child = spawn(path, args, { stdio: 'inherit' });
  const listeners = [
    ...PASSED_ON.map((signal) => [signal, () => void child.kill(signal)] as const),
    ...LEFT_TO_IT.map((signal) => [signal, () => undefined] as const),
  ];
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return new Promise<void>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new ClusterError('failed', `${path} cannot be run: ${error.message}`, { cause: error })),
    );
    child.once('close', (code, signal) => {
      // As a shell says it.
      process.exitCode = signal === null ? (code ?? 0) : 128 + system.signals[signal];
      resolve();
    });
  }).finally(() => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  });
}
