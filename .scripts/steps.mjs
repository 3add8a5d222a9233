// The steps that the commands of package.json share. Plain Node, no dependencies: they run before anything is installed.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. Every path is taken from here, so that any working directory will do. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const installedMarker = join(root, 'node_modules', '.signalbox-installed');

/** Something went wrong that the reader can put right: the message says how. */
export class StepError extends Error {
  name = 'StepError';
}

/** Prints one line that says what happens now; on stderr, since stdout belongs to the app that is started. */
export function say(sentence) {
  process.stderr.write(`• ${sentence}\n`);
}

/**
 * Runs a command of package.json and hands on what it returns. A {@link StepError} ends it with its sentence alone,
 * anything else with a stack; then `undefined` comes back and the exit code is set.
 */
export async function runCommand(command) {
  try {
    requireNode();
    return await command();
  } catch (error) {
    process.stderr.write(`\n${error instanceof StepError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}

function requireNode() {
  const { engines } = readJson('package.json');
  const wanted = /(\d+)\.(\d+)/.exec(engines.node).slice(1).map(Number);
  const found = process.versions.node.split('.').map(Number);
  if (found[0] > wanted[0] || (found[0] === wanted[0] && found[1] >= wanted[1])) return;
  throw new StepError(
    `Signalbox needs Node ${engines.node}, and this is ${process.version}. ` +
      'Install a current Node (https://nodejs.org, or a version manager such as nvm), then run the command again.',
  );
}

/** Installs the dependencies that the lockfile names, unless exactly these are there already. */
export async function install() {
  const fingerprint = fingerprintOfManifests();
  if (isInstalled(fingerprint)) return;

  await alone('install', async () => {
    // Somebody else may have done it while this process waited.
    if (isInstalled(fingerprint)) return;
    const { packageManager } = readJson('package.json');
    say(`Installing the dependencies with ${packageManager} (needed once, and after they change)`);
    rmSync(installedMarker, { force: true });

    const ok = await runPnpm(['install', '--frozen-lockfile', '--prefer-offline']);
    if (!ok) {
      throw new StepError(
        'The dependencies could not be installed; the reason stands above. If the network was the reason, run the ' +
          'command again when it is back. If the lockfile does not fit a package.json, run ' +
          `"npx -y ${packageManager} install" and look at what it changes. If a half-installed node_modules is in ` +
          'the way, remove the node_modules folders and run the command again.',
      );
    }
    writeFileSync(installedMarker, fingerprint);
  });
}

/** Runs pnpm in the exact version of package.json; nothing needs to be installed for that but npm. */
export function runPnpm(args, options) {
  const { packageManager } = readJson('package.json');
  // CI=true: pnpm replaces a half-installed node_modules instead of asking somebody who may not be there.
  return run('npx', ['-y', packageManager, ...args], { ...options, env: { CI: 'true', ...options?.env } });
}

function isInstalled(fingerprint) {
  if (!existsSync(installedMarker) || readFileSync(installedMarker, 'utf8') !== fingerprint) return false;
  // A folder that somebody removed by hand leaves the marker in place.
  return manifests().every((file) => {
    const { dependencies, devDependencies } = readJson(file);
    const folder = join(root, file, '..', 'node_modules');
    return Object.keys({ ...dependencies, ...devDependencies }).every((name) =>
      existsSync(join(folder, name, 'package.json')),
    );
  });
}

function fingerprintOfManifests() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests()]) {
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Every package.json of the workspace, the root's first. */
function manifests() {
  const members = [...foldersIn('packages'), ...foldersIn('examples'), 'docs', 'test'];
  return ['package.json', ...members.map((folder) => `${folder}/package.json`)].filter((file) =>
    existsSync(join(root, file)),
  );
}

/** The folders directly below `folder`, relative to the root. */
export function foldersIn(folder) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}`)
    .toSorted();
}

/** The folders of packages and examples that are compiled. */
export function compiledFolders() {
  return [...foldersIn('packages'), ...foldersIn('examples')].filter((folder) =>
    existsSync(join(root, folder, 'tsconfig.json')),
  );
}

/** Compiles the given TypeScript projects and what they refer to, as far as they changed. */
export async function build(projects, what) {
  say(`Compiling ${what}`);
  const ok = await alone('build', () => compile(projects));
  if (!ok)
    throw new StepError(
      'The sources do not compile; the errors stand above. Fix them, then run the command again.',
    );
}

/** `tsc -b` as it is: says whether it went well. */
export function compile(projects, options) {
  return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...projects], options);
}

/**
 * Runs a program in the root folder and says whether it exited with 0. What it prints goes to our stderr, what it
 * prints on stdout to `options.stdout` if that is given, and everything to `options.output`, if that is: a function.
 * It is ended after `options.limitMs`, and by a signal that ends this process.
 */
export async function run(command, args, options = {}) {
  const { env, output, stdout = 2, limitMs } = options;
  const isWindows = process.platform === 'win32';
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: output ? ['ignore', 'pipe', 'pipe'] : ['ignore', stdout, 2],
    // A process group of its own, so that ending it ends what npx started in turn.
    detached: !isWindows,
    // npx is a .cmd file on Windows.
    shell: isWindows && command === 'npx',
  });
  if (output) {
    child.stdout.setEncoding('utf8').on('data', output);
    child.stderr.setEncoding('utf8').on('data', output);
  }

  const kill = (signal) => {
    if (isWindows || child.pid === undefined) child.kill(signal);
    else process.kill(-child.pid, signal);
  };
  const pass = (signal) => {
    kill(signal);
    child.once('close', () => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.on('SIGINT', pass).on('SIGTERM', pass);
  const timer = limitMs && setTimeout(() => kill('SIGKILL'), limitMs);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    return code === 0;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new StepError(
      `The program "${command}" is not on the PATH. It comes with Node: install Node with npm.`,
    );
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', pass).off('SIGTERM', pass);
  }
}

/**
 * Runs `work` while no other process does so for this folder: two commands started at once share one installation
 * and one build. A lock whose owner is gone counts for nothing.
 */
async function alone(name, work) {
  const place = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const lock = join(tmpdir(), `signalbox-${name}-${place}`);
  let told = false;

  while (!takeLock(lock)) {
    if (!told) say(`Waiting for another command that works in this folder (${name})`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function takeLock(lock) {
  const mine = `${lock}-${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    // A link appears whole or not at all, so that a lock is never without its owner's id.
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isAbandoned(lock)) rmSync(lock, { force: true });
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function isAbandoned(lock) {
  try {
    // No step takes half an hour: the id belongs to somebody else by now.
    if (Date.now() - statSync(lock).mtimeMs > 30 * 60_000) return true;
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** Reads a JSON file, given relative to the root. */
export function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'));
}
