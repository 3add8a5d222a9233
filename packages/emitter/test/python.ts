import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian's own: packages that apt installs are seen by no other. */
const PYTHON = '/usr/bin/python3';
const PACKAGES = ['python3-socketio', 'python3-redis'];
const IMPORTS = 'import socketio, redis';

/**
 * Installs Debian's python-socketio, if need be and allowed.
 *
 * @throws an error whose message says what to install, where that could not be done here
 */
export async function requirePythonSocketio(): Promise<void> {
  if (await works()) return;
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`;
  if (process.getuid?.() !== 0 || !isExecutable('/usr/bin/apt-get')) {
    throw new Error(
      `The tests need ${PACKAGES.join(' and ')}. Install them, on Debian with: sudo ${command}`,
    );
  }
  try {
    await aptGet(['update']);
    await aptGet(['install', '-y', '--no-install-recommends', ...PACKAGES]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`"${command}" failed; the tests that need it cannot run. ${reason}`, { cause: error });
  }
  if (!(await works()))
    throw new Error(`${PYTHON} has no socketio, although ${PACKAGES.join(' and ')} are installed`);
}

/** Runs a Python program to its end and returns what it printed. */
export async function python(program: string, ...args: readonly string[]): Promise<string> {
  const options = { timeout: 30_000, maxBuffer: 16 * 1024 * 1024 };
  const { stdout } = await run(PYTHON, ['-c', program, ...args], options);
  return stdout;
}

async function works(): Promise<boolean> {
  try {
    await python(IMPORTS);
    return true;
  } catch {
    // It, or one of the packages, is not there.
    return false;
  }
}

async function aptGet(args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('/usr/bin/apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
