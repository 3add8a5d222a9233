import { link, readFile, unlink, writeFile } from 'node:fs/promises';

/** Folders that are open in this process. */
const mine = new Set<string>();

/**
 * Takes a folder for this process: two that write to one would ruin what is in it.
 *
 * @returns what gives it back
 * @throws an error that names the process that has it
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const file = `${path}.lock`;
  if (mine.has(path)) throw new Error(`${path} is open in this process already`);
  mine.add(path);
  try {
    await writeLock(path, file);
  } catch (error) {
    mine.delete(path);
    throw error;
  }
  return async () => {
    if (!mine.delete(path)) return;
    await unlink(file).catch(() => undefined);
  };
}

async function writeLock(path: string, file: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, String(process.pid));
  try {
    await linkLock(path, file, draft);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

/** A link is there at once, with the number in it, or not at all. */
async function linkLock(path: string, file: string, draft: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await link(draft, file);
      return;
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (isAlive(holder)) throw new Error(`${path} is in use by the process ${holder}`);
    // Left over from one that was killed.
    await unlink(file).catch(() => undefined);
  }
  throw new Error(`${path} is being opened by another process`);
}

/** In a container every process before this one may have had its number. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, 'EPERM');
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
