import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BackupError } from './failure.js';

/** What a file is called until it is whole. */
export const PART = '.part';

/** Makes a file that is either there and whole, or not there. `write` is given the name to write to. */
export async function writeWhole(file: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = file + PART;
  try {
    await write(part);
    await flush(part);
    await rename(part, file);
    await flush(dirname(file));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Writes a small file, whole or not at all. */
export async function writeText(file: string, content: string, mode = 0o600): Promise<void> {
  await writeWhole(file, async (part) => {
    const handle = await open(part, 'w', mode);
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
  });
}

/** Waits until it is on the disk: a rename may get there before what was written. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a piece of a file. */
export async function readPiece(file: string, from: number, bytes: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const piece = Buffer.alloc(bytes);
    const { bytesRead } = await handle.read(piece, 0, bytes, from);
    if (bytesRead !== bytes) throw new BackupError(`${file} became shorter while it was read`);
    return piece;
  } finally {
    await handle.close();
  }
}
