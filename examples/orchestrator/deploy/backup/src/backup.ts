import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError, sentenceOf } from './failure.js';
import { PART, writeText } from './files.js';
import type { Job } from './job.js';
import {
  kindOf,
  manifestOf,
  nameOfManifest,
  parseManifest,
  timeOf,
  type Kind,
  type Manifest,
} from './manifest.js';
import { backUpPostgres } from './postgres-backup.js';
import { backUpRedis } from './redis-backup.js';
import { kindsOf, noteState, readState } from './state.js';

const DAY_MS = 24 * 3_600_000;

/**
 * Makes a backup of everything that is set up, stores it, and removes what is too old. What could not be stored
 * before is stored first. One that fails does not keep the others from being made.
 *
 * @returns what went wrong, a sentence each
 */
export async function backUp(job: Job): Promise<string[]> {
  const failures: string[] = [];
  await tidyUp(job);
  await sendAll(job, failures);
  for (const kind of kindsOf(job.settings)) {
    job.signal.throwIfAborted();
    const isOk = await collect(failures, `the backup of ${kind}`, () => backUpOne(job, kind));
    if (!isOk) await noteState(job.settings.BACKUP_DIR, kind, 'backup', { isOk });
  }
  job.signal.throwIfAborted();
  await collect(failures, 'removing old backups', () => prune(job));
  return failures;
}

async function collect(failures: string[], what: string, act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    failures.push(`${what} failed: ${sentenceOf(error)}`);
    return false;
  }
}

async function backUpOne(job: Job, kind: Kind): Promise<void> {
  const begin = performance.now();
  const url = kind === 'postgres' ? job.settings.DATABASE_URL : job.settings.REDIS_URL;
  if (url === undefined) throw new BackupError(`there is no ${kind} to back up`);
  const make = kind === 'postgres' ? backUpPostgres : backUpRedis;
  const manifest = await make({ url, folder: job.outbox, keys: job.keys, signal: job.signal });
  await writeText(join(job.outbox, manifestOf(manifest.name)), JSON.stringify(manifest));
  job.say(`${manifest.name} is made: ${manifest.sums.stored.bytes} bytes, of ${manifest.server}`);
  const durationSeconds = (performance.now() - begin) / 1_000;
  try {
    await send(job, manifest);
  } catch (error) {
    throw new BackupError(`${sentenceOf(error)}; it is kept in ${job.outbox}, and the next run sends it`, {
      cause: error,
    });
  }
  await noteState(job.settings.BACKUP_DIR, kind, 'backup', { isOk: true, durationSeconds });
}

/** Sends what is complete and not stored yet; one that cannot be sent does not keep the others. */
async function sendAll(job: Job, failures: string[]): Promise<void> {
  const names = (await readdir(job.outbox)).map(nameOfManifest).filter((name) => name !== undefined);
  for (const name of names.toSorted()) {
    await collect(failures, `storing ${name}, of an earlier run,`, async () => {
      const text = await readFile(join(job.outbox, manifestOf(name)), 'utf8');
      await send(job, parseManifest(name, text));
    });
  }
}

/** First the backup, then the manifest: what has one is complete. */
async function send({ store, outbox, settings, say }: Job, manifest: Manifest): Promise<void> {
  const { kind, name, object, sums } = manifest;
  const file = join(outbox, object);
  await store.putFile(object, file);
  await store.putText(manifestOf(name), JSON.stringify(manifest));
  // In this order: a backup that is left without a manifest is tidied up.
  await rm(join(outbox, manifestOf(name)), { force: true });
  await rm(file, { force: true });
  say(`${name} is stored`);

  const takenAt = Date.parse(manifest.takenAt) / 1_000;
  const known = await readState(settings.BACKUP_DIR, kind, 'backup');
  if (known?.takenAt !== undefined && known.takenAt >= takenAt) return;
  const since = known?.takenAt ?? takenAt;
  const rpoSeconds = Math.max(0, Date.now() / 1_000 - since);
  await noteState(settings.BACKUP_DIR, kind, 'backup', {
    isOk: known?.isOk ?? false,
    takenAt,
    bytes: sums.stored.bytes,
    rpoSeconds,
  });
}

/** Of runs that were killed: what is not whole, or not known any more. Nobody else writes to the outbox now. */
async function tidyUp({ outbox, inbox }: Job): Promise<void> {
  const files = await readdir(outbox);
  const known = new Set(files.map(nameOfManifest));
  const dead = files.filter((file) => file.endsWith(PART) || !known.has(file.split('.')[0]));
  for (const file of dead) await rm(join(outbox, file), { force: true });
  for (const file of await readdir(inbox)) {
    const path = join(inbox, file);
    // A restore may be using it; no longer than this.
    if ((await stat(path)).mtimeMs < Date.now() - DAY_MS) await rm(path, { force: true });
  }
}

/** Removes what is older than it has to be; never the newest of a kind, however old it is. */
async function prune({ store, settings, say }: Job): Promise<void> {
  const objects = await store.list();
  const complete = objects.map(({ key }) => nameOfManifest(key)).filter((name) => name !== undefined);
  const oldest = Date.now() - settings.BACKUP_KEEP;
  const isOld = (name: string): boolean => (timeOf(name)?.getTime() ?? Date.now()) < oldest;

  const kept = new Set<string>();
  for (const kind of kindsOf(settings)) {
    const ofKind = complete.filter((name) => kindOf(name) === kind).toSorted();
    const newest = ofKind.at(-1);
    for (const name of ofKind) if (name === newest || !isOld(name)) kept.add(name);
    const stored = ofKind.filter((name) => kept.has(name)).length;
    const known = await readState(settings.BACKUP_DIR, kind, 'backup');
    await noteState(settings.BACKUP_DIR, kind, 'backup', { isOk: known?.isOk ?? false, stored });
  }
  const mayGo = (name: string): boolean =>
    isOld(name) && !kept.has(name) && kindsOf(settings).includes(kindOf(name));
  // The manifest first: what is left if this breaks off is no backup any more, and goes the next time.
  const old = complete.filter(mayGo);
  for (const name of old) await store.remove(manifestOf(name));
  for (const { key } of objects) {
    const name = key.split('.')[0] ?? '';
    if (timeOf(name) !== undefined && mayGo(name) && key !== manifestOf(name)) await store.remove(key);
  }
  if (old.length > 0) say(`removed, being older than BACKUP_KEEP: ${old.join(', ')}`);
}
