import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { openPglite, type Pglite } from './pglite.js';

/** Opens a database in memory that begins as the one in the file, which is made where it is missing or of no use. */
export async function openFromTemplate(file: string): Promise<Pglite> {
  const data = await readFile(file).catch(() => undefined);
  if (data !== undefined) {
    try {
      return await openPglite(undefined, new Blob([data]));
    } catch {
      // Of another version, or broken.
    }
  }
  const pglite = await openPglite(undefined);
  await keep(pglite, file);
  return pglite;
}

/** It is only for speed: where it cannot be kept, the next start takes longer. */
async function keep(pglite: Pglite, file: string): Promise<void> {
  const part = `${file}.${randomUUID()}`;
  try {
    const dump = await pglite.dumpDataDir('none');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(part, Buffer.from(await dump.arrayBuffer()), { mode: 0o600 });
    // Whoever reads it meanwhile has the old one, or none.
    await rename(part, file);
  } catch {
    await rm(part, { force: true }).catch(() => undefined);
  }
}
