import { join } from 'node:path';
import { BusyError } from './failure.js';
import { startTool } from './child.js';

/**
 * Does something that no second process may do in this folder at the same time. The kernel keeps the lock (flock),
 * so that it is gone with the process, however that ends.
 *
 * @throws {BusyError} at once, where another process has it
 */
export async function alone<T>(folder: string, what: string, act: () => Promise<T>): Promise<T> {
  const file = join(folder, `${what}.lock`);
  // It holds the lock until its input ends, which the end of this process does too.
  const { child, done } = startTool('flock', ['-n', file, 'sh', '-c', 'echo locked && exec cat']);
  let isLocked = false;
  await Promise.race([
    done.catch((error: Error) => {
      if (!error.message.endsWith('status 1')) throw error;
    }),
    new Promise<void>((resolve) => {
      child.stdout?.once('data', () => {
        isLocked = true;
        resolve();
      });
    }),
  ]);
  if (!isLocked) throw new BusyError(`another ${what} is running in ${folder}`);
  try {
    return await act();
  } finally {
    child.stdin?.end();
    await done;
  }
}
