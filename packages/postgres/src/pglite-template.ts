import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openPglite, type Pglite } from './pglite.js';

/** Opens a database in memory that begins as the one in the file, which is made where it is missing or of no use. */
export async function openFromTemplate(file: string): Promise<Pglite> {
  const data = await readFile(file).catch(() => undefined);
  if (data !== undefined) {
    const pglite = await openPglite(undefined, new Blob([data])).catch(() => undefined);
    if (pglite !== undefined) {
      await removeParts(file);
      return pglite;
    }
    // Of another version, or broken.
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
  await removeParts(file);
}

const PART = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** What a process left that was killed while it wrote. One that still writes loses the time that it took, and no more. */
async function removeParts(file: string): Promise<void> {
  const begin = `${basename(file)}.`;
  const names = await readdir(dirname(file)).catch(() => []);
  const parts = names.filter((name) => name.startsWith(begin) && PART.test(name.slice(begin.length)));
  await Promise.allSettled(parts.map((name) => rm(join(dirname(file), name), { force: true })));
}
