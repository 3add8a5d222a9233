import type { Keys } from './archive.js';
import { writeArchive } from './archive.js';
import { runTool, startTool } from './child.js';
import { BackupError } from './failure.js';
import { beginSnapshot, connectClient, fingerprintIn } from './postgres-fingerprint.js';
import { nameOf, objectOf, sealFingerprint, type Manifest } from './manifest.js';
import { postgresTarget } from './postgres-url.js';
import { join } from 'node:path';
import { writeWhole } from './files.js';

/** Another's lock, such as of a migration, is waited for this long. */
const LOCK_WAIT_MS = 60_000;

export interface MakeBackup {
  readonly url: string;
  /** Folder for the archive. */
  readonly folder: string;
  readonly keys: Keys;
  readonly signal: AbortSignal;
}

/**
 * Dumps a database into an archive and says what is in it. The dump and what it will be compared with are of the
 * same moment, while others write.
 */
export async function backUpPostgres({ url, folder, keys, signal }: MakeBackup): Promise<Manifest> {
  const tool = (await runTool('pg_dump', ['--version'])).trim();
  const client = await connectClient(url);
  try {
    const { snapshot, takenAt } = await beginSnapshot(client);
    const name = nameOf('postgres', takenAt);
    const isEncrypted = keys.write !== undefined;
    const object = objectOf(name, isEncrypted);
    const fingerprint = await fingerprintIn(client, url, snapshot);
    const file = join(folder, object);
    let sums: Manifest['sums'] | undefined;
    await writeWhole(file, async (part) => {
      sums = await dump({ url, snapshot, signal }, part, { name, key: keys.write });
    });
    if (sums === undefined) throw new BackupError('nothing was dumped');
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return {
      format: 1,
      kind: 'postgres',
      name,
      object,
      takenAt: takenAt.toISOString(),
      madeAt: new Date().toISOString(),
      tool,
      server: `PostgreSQL ${rows[0]?.server_version ?? ''}`,
      isEncrypted,
      sums,
      fingerprint: sealFingerprint(fingerprint, name, keys),
    };
  } finally {
    await client.end();
  }
}

async function dump(
  { url, snapshot, signal }: { url: string; snapshot: string; signal: AbortSignal },
  file: string,
  { name, key }: { name: string; key: string | undefined },
): Promise<Manifest['sums']> {
  const { url: address, env } = postgresTarget(url);
  const { child, done } = startTool(
    'pg_dump',
    // Not compressed: gzip does it, so that the archive can be opened without pg_restore.
    [
      '--format=custom',
      '--compress=0',
      `--lock-wait-timeout=${LOCK_WAIT_MS}`,
      `--snapshot=${snapshot}`,
      `--dbname=${address}`,
    ],
    { env, signal },
  );
  if (child.stdout === null) throw new BackupError('pg_dump has no output');
  try {
    const sums = await writeArchive(child.stdout, file, { name, key, signal });
    // Its output may end early, and well.
    await done;
    return sums;
  } catch (error) {
    child.kill('SIGTERM');
    throw error;
  }
}
