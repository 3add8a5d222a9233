import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkArchive } from './archive.js';
import { BackupError } from './failure.js';
import type { Job } from './job.js';
import {
  archiveOf,
  isName,
  kindOf,
  manifestOf,
  nameOfManifest,
  parseManifest,
  type Kind,
  type Manifest,
} from './manifest.js';

/** The names of all complete backups, the oldest first. */
export async function listBackups({ store }: Job): Promise<string[]> {
  const names = (await store.list())
    .map(({ key }) => nameOfManifest(key))
    .filter((name) => name !== undefined);
  return names.toSorted((a, b) => (timeOrder(a) < timeOrder(b) ? -1 : 1));
}

const timeOrder = (name: string): string => name.slice(name.indexOf('-'));

export async function readManifest({ store }: Job, name: string): Promise<Manifest> {
  const text = await store.getText(manifestOf(name));
  if (text === undefined) throw new BackupError(`there is no backup ${name}`);
  return parseManifest(name, text);
}

/** Fetches a backup, checks all of it, does something with it, and removes the copy. */
export async function withBackup<T>(
  job: Job,
  { kind, name }: { kind: Kind; name: string | undefined },
  act: (manifest: Manifest, file: string) => Promise<T>,
): Promise<T> {
  const chosen = name ?? (await newest(job, kind));
  if (!isName(chosen) || kindOf(chosen) !== kind) throw new BackupError(`${chosen} is no backup of ${kind}`);
  const manifest = await readManifest(job, chosen);
  if (!manifest.isEncrypted && job.settings.BACKUP_ENCRYPT) {
    throw new BackupError(
      `${chosen} is not encrypted: whoever may write to the store may have made it. With BACKUP_ENCRYPT=off it is taken`,
    );
  }
  // Others may fetch the same one.
  const file = join(job.inbox, `${process.pid}-${manifest.object}`);
  try {
    await job.store.getFile(manifest.object, file);
    await checkArchive(file, archiveOf(manifest), job.keys);
    return await act(manifest, file);
  } finally {
    await rm(file, { force: true });
  }
}

async function newest(job: Job, kind: Kind): Promise<string> {
  const name = (await listBackups(job)).filter((each) => kindOf(each) === kind).at(-1);
  if (name === undefined) throw new BackupError(`there is no backup of ${kind} in the store`);
  return name;
}
