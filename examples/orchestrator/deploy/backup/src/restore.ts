import { rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BackupError, sentenceOf } from './failure.js';
import { withBackup } from './fetch.js';
import type { Job } from './job.js';
import {
  inDrillDatabase,
  isEmptyDatabase,
  replaceDatabase,
  restoreInto,
  stampOf,
} from './postgres-restore.js';
import { compareSnapshot, writeSnapshot } from './redis-backup.js';
import { postgresTarget } from './postgres-url.js';
import { kindsOf, noteState } from './state.js';
import type { Kind } from './manifest.js';

export interface RestoreOptions {
  /** Which backup; by default the newest. */
  readonly name: string | undefined;
  /** Whether it may take the place of what is there, which is kept under another name. */
  readonly replace: boolean;
  readonly withOwners: boolean;
}

/** Restores Postgres into a database that is empty, or, if told so, in the place of one that is not. */
export async function restorePostgres(job: Job, options: RestoreOptions): Promise<void> {
  const url = job.settings.RESTORE_DATABASE_URL ?? job.settings.DATABASE_URL;
  if (url === undefined) throw new BackupError('RESTORE_DATABASE_URL must say where to restore to');
  const { database } = postgresTarget(url);
  const isEmpty = await isEmptyDatabase(url);
  if (!isEmpty && !options.replace) {
    throw new BackupError(
      `the database ${database} is not empty; nothing was changed. --replace puts the backup in its place`,
    );
  }
  await withBackup(job, { kind: 'postgres', name: options.name }, async (manifest, file) => {
    const { keys, signal } = job;
    const restore = { file, manifest, keys, url, withOwners: options.withOwners, signal };
    if (isEmpty) await restoreInto(restore);
    else {
      const { before } = await replaceDatabase(restore);
      job.say(`what was in ${database} is kept in ${before}; drop it when it is not needed any more`);
    }
    job.say(`${manifest.name} is restored into ${database}, and compared: as it was at ${manifest.takenAt}`);
  });
}

/** Writes the snapshot that a stopped Redis is to start with. */
export async function restoreRedis(job: Job, to: string, options: RestoreOptions): Promise<void> {
  const file = resolve(to);
  const there = await stat(file).catch(() => undefined);
  // Redis' own folder, as likely as not: nothing takes the place of that.
  if (there?.isDirectory() === true) {
    throw new BackupError(
      `${file} is a folder; --to names the file in it, such as ${join(file, 'dump.rdb')}`,
    );
  }
  const isThere = there !== undefined;
  if (isThere && !options.replace) {
    throw new BackupError(
      `${file} is there already; nothing was changed. --replace puts the backup in its place`,
    );
  }
  await withBackup(job, { kind: 'redis', name: options.name }, async (manifest, archive) => {
    const fresh = `${file}.restored`;
    try {
      await writeSnapshot(archive, { manifest, keys: job.keys }, fresh);
      const { compared, keys } = await compareSnapshot(fresh, { manifest, keys: job.keys }, job.signal);
      if (isThere) {
        const before = `${file}.before-${stampOf()}`;
        await rename(file, before);
        job.say(`what was there is kept in ${before}`);
      }
      await rename(fresh, file);
      job.say(`${manifest.name} is in ${file}: ${keys} keys, ${compared} of them not expired, and compared`);
    } finally {
      await rm(fresh, { force: true });
    }
  });
}

/**
 * Proves that backups can be restored: fetches one of each kind, restores it into something new, and compares.
 *
 * @returns what went wrong, a sentence each
 */
export async function drill(job: Job, name: string | undefined): Promise<string[]> {
  const failures: string[] = [];
  const kinds = kindsOf(job.settings).filter((kind) => name === undefined || name.startsWith(kind));
  for (const kind of kinds) {
    job.signal.throwIfAborted();
    const begin = performance.now();
    try {
      await (kind === 'postgres' ? drillPostgres(job, name) : drillRedis(job, name));
      await noteState(job.settings.BACKUP_DIR, kind, 'drill', {
        isOk: true,
        succeededAt: Date.now() / 1_000,
        rtoSeconds: (performance.now() - begin) / 1_000,
      });
    } catch (error) {
      failures.push(`the drill of ${kind} failed: ${sentenceOf(error)}`);
      await noteState(job.settings.BACKUP_DIR, kind, 'drill', { isOk: false });
    }
  }
  if (kinds.length === 0) failures.push(`${name} is no backup of what is set up here`);
  return failures;
}

async function drillPostgres(job: Job, name: string | undefined): Promise<void> {
  const server = job.settings.DRILL_DATABASE_URL ?? job.settings.DATABASE_URL;
  if (server === undefined) throw new BackupError('DRILL_DATABASE_URL must say where to restore to');
  await withBackup(job, { kind: 'postgres', name }, async (manifest, file) => {
    const { keys, signal } = job;
    await inDrillDatabase(server, (url) =>
      restoreInto({ file, manifest, keys, url, withOwners: false, signal }),
    );
    job.say(`${manifest.name} is proven: restored into a new database, tables and schema are the same`);
  });
}

async function drillRedis(job: Job, name: string | undefined): Promise<void> {
  await withBackup(job, { kind: 'redis', name }, async (manifest, archive) => {
    const snapshot = `${archive}.rdb`;
    try {
      await writeSnapshot(archive, { manifest, keys: job.keys }, snapshot);
      const { compared, keys } = await compareSnapshot(snapshot, { manifest, keys: job.keys }, job.signal);
      job.say(
        `${manifest.name} is proven: a new Redis has its ${keys} keys; ${compared} have not expired, and are the same`,
      );
    } finally {
      await rm(snapshot, { force: true });
    }
  });
}

/** Fetches backups and checks them against their checksums, without restoring. */
export async function verify(
  job: Job,
  { kind, name }: { kind: Kind; name: string | undefined },
): Promise<void> {
  await withBackup(job, { kind, name }, async (manifest) => {
    job.say(`${manifest.name} is whole: ${manifest.sums.stored.bytes} bytes, its checksums are right`);
  });
}
