import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { readArchive, type Keys } from './archive.js';
import { startTool } from './child.js';
import { BackupError, sentenceOf } from './failure.js';
import { archiveOf, openFingerprint, type Manifest } from './manifest.js';
import {
  connectClient,
  databaseDifferences,
  fingerprintOf,
  type DatabaseFingerprint,
} from './postgres-fingerprint.js';
import { postgresTarget, withDatabase } from './postgres-url.js';

export interface RestoreDatabase {
  /** A checked archive, and what is known of it. */
  readonly file: string;
  readonly manifest: Manifest;
  readonly keys: Keys;
  /** Where to. */
  readonly url: string;
  /** Whether owners and grants are restored too: their roles have to be there. */
  readonly withOwners: boolean;
  readonly signal: AbortSignal;
}

/** Whether nothing has been made in a database but what every new one has. */
export async function isEmptyDatabase(url: string): Promise<boolean> {
  const client = await connectClient(url);
  try {
    const { rows } = await client.query<{ n: string }>(
      `SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%')
        + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%')
        + (SELECT count(*) FROM pg_namespace
          WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\\_%') AS n`,
    );
    return rows[0]?.n === '0';
  } finally {
    await client.end();
  }
}

/**
 * Restores into an empty database, all or nothing, and compares what is there then with the backup.
 *
 * @throws {BackupError} that names what differs
 */
export async function restoreInto(restore: RestoreDatabase): Promise<void> {
  const { file, manifest, keys, url, withOwners, signal } = restore;
  const { url: address, env } = postgresTarget(url);
  const owners = withOwners ? [] : ['--no-owner', '--no-privileges'];
  const { child, done } = startTool(
    'pg_restore',
    ['--single-transaction', '--exit-on-error', ...owners, `--dbname=${address}`],
    { env, signal },
  );
  if (child.stdin === null) throw new BackupError('pg_restore has no input');
  const [read, restored] = await Promise.allSettled([
    readArchive(file, archiveOf(manifest), keys, child.stdin).catch((error: unknown) => {
      child.kill('SIGTERM');
      throw error;
    }),
    done,
  ]);
  // Where pg_restore gives up, its input breaks too, which is not the reason.
  if (restored.status === 'rejected') throw restored.reason;
  if (read.status === 'rejected') throw read.reason;

  const wanted = openFingerprint(manifest, keys) as DatabaseFingerprint;
  const differences = databaseDifferences(wanted, await fingerprintOf(url));
  if (differences.length === 0) return;
  throw new BackupError(`what was restored from ${manifest.name} differs: ${differences.join('; ')}`);
}

/**
 * Does something with a database that was made for it; where that fails, the database is dropped.
 *
 * @param url of the server, by a role that may create databases
 */
async function inFreshDatabase<T>(
  url: string,
  { name, keep }: { name: string; keep: boolean },
  act: (url: string) => Promise<T>,
): Promise<T> {
  const admin = await connectClient(maintenanceUrl(url));
  try {
    await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`);
    let isDone = false;
    try {
      const result = await act(withDatabase(url, name));
      isDone = true;
      return result;
    } finally {
      if (!isDone || !keep) await dropDatabase(admin, name);
    }
  } finally {
    await admin.end();
  }
}

const DRILL = 'signalbox_drill_';
const DRILL_MAX_MS = 24 * 3_600_000;

/** Does something with a database for a drill, and drops it afterwards; and those of drills that were killed. */
export async function inDrillDatabase<T>(url: string, act: (url: string) => Promise<T>): Promise<T> {
  const admin = await connectClient(maintenanceUrl(url));
  try {
    const { rows } = await admin.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND datname < $2',
      [DRILL, `${DRILL}${stampOf(Date.now() - DRILL_MAX_MS)}`],
    );
    for (const { datname } of rows) await dropDatabase(admin, datname);
  } finally {
    await admin.end();
  }
  return inFreshDatabase(url, { name: `${DRILL}${stampOf()}`, keep: false }, act);
}

/** Restores into a new database, compares, and only then lets it take the place of the one that is there, which is kept. */
export async function replaceDatabase(restore: RestoreDatabase): Promise<{ before: string }> {
  const { database } = postgresTarget(restore.url);
  const stamp = stampOf();
  const fresh = shortened(database, `_restore_${stamp}`);
  const before = shortened(database, `_before_${stamp}`);
  await inFreshDatabase(restore.url, { name: fresh, keep: true }, async (url) => {
    await restoreInto({ ...restore, url });
    await swap(restore.url, { database, fresh, before });
  });
  return { before };
}

interface Swap {
  readonly database: string;
  readonly fresh: string;
  readonly before: string;
}

/** Both names change or neither. A database with connections keeps its name, so those are ended. */
async function swap(url: string, { database, fresh, before }: Swap): Promise<void> {
  const admin = await connectClient(maintenanceUrl(url));
  const rename = (from: string, to: string): string =>
    `ALTER DATABASE ${admin.escapeIdentifier(from)} RENAME TO ${admin.escapeIdentifier(to)}`;
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1)', [
          [database, fresh],
        ]);
        await admin.query(`BEGIN; ${rename(database, before)}; ${rename(fresh, database)}; COMMIT`);
        return;
      } catch (error) {
        await admin.query('ROLLBACK');
        if (attempt < 10) await pause(200);
        else {
          throw new BackupError(
            `${database} could not be replaced, and is as it was; stop what uses it: ${sentenceOf(error)}`,
            { cause: error },
          );
        }
      }
    }
  } finally {
    await admin.end();
  }
}

async function dropDatabase(admin: pg.Client, name: string): Promise<void> {
  await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(name)} WITH (FORCE)`);
}

/** A database that one can be connected to while another is made, renamed or dropped. */
function maintenanceUrl(url: string): string {
  return withDatabase(url, postgresTarget(url).database === 'postgres' ? 'template1' : 'postgres');
}

/** A time as part of a name; no two are alike. */
export function stampOf(ms: number = Date.now()): string {
  const time = new Date(ms).toISOString().replaceAll(/\D/g, '').slice(0, 14);
  return `${time}_${randomBytes(2).toString('hex')}`;
}

/** Postgres cuts longer names off. */
function shortened(name: string, end: string): string {
  return name.slice(0, 63 - end.length) + end;
}
