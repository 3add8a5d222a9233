import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** What tests start, by the Debian package that brings it. */
const packageOf = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  nginx: 'nginx',
  postgres: 'postgresql',
  chromium: 'chromium',
  promtool: 'prometheus',
  amtool: 'prometheus-alertmanager',
  shellcheck: 'shellcheck',
  'systemd-analyze': 'systemd',
  // A Python program: what is looked for is its main module.
  'searx/webapp.py': 'python3-searx',
} as const;

/** Held by the one that runs apt-get; a folder, since nothing is written to it. */
const LOCK = '/var/lib/apt';

export type ProgramName = keyof typeof packageOf;

/** What is being installed for tests that run side by side. */
const underWay = new Map<ProgramName, Promise<void>>();

/**
 * Says where a program is, installing its Debian package first if need be.
 *
 * @throws an error whose message says what to install, where that could not be done here
 */
export async function requireProgram(name: ProgramName): Promise<string> {
  const found = findProgram(name);
  if (found !== undefined) return found;
  const installing = underWay.get(name) ?? installPackages([packageOf[name]]);
  underWay.set(name, installing);
  await installing.finally(() => underWay.delete(name));
  const installed = findProgram(name);
  if (installed !== undefined) return installed;
  throw new Error(`${name} is still missing after its package ${packageOf[name]} was installed`);
}

/** Installs the packages of all programs that are missing, with one call of apt-get; says so before it does. */
export async function installMissingPrograms(say: (sentence: string) => void): Promise<void> {
  const names = Object.keys(packageOf) as ProgramName[];
  const missing = names.filter((name) => findProgram(name) === undefined).map((name) => packageOf[name]);
  if (missing.length === 0) return;
  say(`Installing what the tests start: ${missing.join(', ')} (apt-get)`);
  try {
    await installPackages(missing);
  } catch (error) {
    // The tests that need it fail with the same sentence; the others can still run.
    say(error instanceof Error ? error.message : String(error));
  }
}

function findProgram(name: ProgramName): string | undefined {
  const mode = name.endsWith('.py') ? constants.R_OK : constants.X_OK;
  return foldersOf(name)
    .map((folder) => join(folder, name))
    .find((file) => isThere(file, mode));
}

function foldersOf(name: ProgramName): readonly string[] {
  if (name === 'postgres') return postgresFolders();
  if (name.endsWith('.py')) return ['/usr/lib/python3/dist-packages'];
  // Debian's nginx is in a folder that only root has on the PATH.
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin'];
}

/** Debian keeps each version of Postgres in a folder of its own; the newest first. */
function postgresFolders(): string[] {
  const home = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(home).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(home, version, 'bin'));
  } catch {
    // None is installed.
    return [];
  }
}

function isThere(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

async function installPackages(packages: readonly string[]): Promise<void> {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !isThere('/usr/bin/apt-get', constants.X_OK)) {
    throw new Error(`The tests need ${packages.join(', ')}. Install it, on Debian with: sudo ${command}`);
  }
  try {
    await aptGet(['update']);
    await aptGet(['install', '-y', '--no-install-recommends', ...packages]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`"${command}" failed; the tests that need it cannot run. ${reason}`, { cause: error });
  }
}

async function aptGet(args: readonly string[]): Promise<void> {
  // RUNLEVEL: Debian starts a server as soon as it is installed; the tests start their own, elsewhere.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  // Apt waits for who installs, but not for who updates its lists: of several test processes each but one would fail.
  const inTurn = [LOCK, '/usr/bin/apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args];
  await promisify(execFile)('/usr/bin/flock', inTurn, { env, maxBuffer: 64 * 1024 * 1024 });
}
