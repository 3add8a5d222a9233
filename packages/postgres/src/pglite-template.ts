import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPglite, type Pglite } from './pglite.js';

/** Opens a database in memory that begins as the one in the file, which is made where it is missing or of no use. */
export async function openFromTemplate(file: string): Promise<Pglite> {
  // Of processes that write it, and of those that were killed meanwhile.
  const parts = `${file}.parts`;
  const kept = await openKept(file);
  const pglite = kept ?? (await openPglite(undefined));
  if (kept === undefined) await keep(pglite, file, parts);
  // One that still writes loses the time that it took, and no more.
  await rm(parts, { recursive: true, force: true }).catch(() => undefined);
  return pglite;
}

async function openKept(file: string): Promise<Pglite | undefined> {
  try {
    return await openPglite(undefined, new Blob([await readFile(file)]));
  } catch {
    // None, of another version, or broken.
    return undefined;
  }
}

/** It is only for speed: where it cannot be kept, the next start takes longer. */
async function keep(pglite: Pglite, file: string, parts: string): Promise<void> {
  const part = join(parts, randomUUID());
  try {
    const dump = await pglite.dumpDataDir('none');
    await mkdir(parts, { recursive: true });
    await writeFile(part, Buffer.from(await dump.arrayBuffer()), { mode: 0o600 });
    // Whoever reads it meanwhile has the old one, or none.
    await rename(part, file);
  } catch {
    // There may be no room, or no right to write.
  }
}
