import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveOf, nameOf, objectOf, openFingerprint, sealFingerprint, type Manifest } from './manifest.js';
import { readArchive, writeArchive, type Keys } from './archive.js';
import { runTool } from './child.js';
import { BackupError } from './failure.js';
import { writeWhole, PART } from './files.js';
import type { MakeBackup } from './postgres-backup.js';
import { redisDifferences, redisFingerprint, type RedisFingerprint } from './redis-fingerprint.js';
import { withSnapshot } from './redis-scratch.js';

/**
 * Fetches a snapshot as a replica does, starts a Redis with it to see that it can be read and what is in it, and
 * makes an archive of it.
 */
export async function backUpRedis({ url, folder, keys, signal }: MakeBackup): Promise<Manifest> {
  const { args, env } = clientArguments(url);
  const tool = (await runTool('redis-cli', ['--version'])).trim();
  const info = await runTool('redis-cli', [...args, '-e', 'INFO', 'server'], { env, signal });
  const takenAt = new Date();
  const name = nameOf('redis', takenAt);
  const isEncrypted = keys.write !== undefined;
  const object = objectOf(name, isEncrypted);
  const snapshot = join(folder, `${name}.rdb${PART}`);
  try {
    await runTool('redis-cli', [...args, '--rdb', snapshot], { env, signal });
    const fingerprint = await withSnapshot(snapshot, signal, redisFingerprint);
    let sums: Manifest['sums'] | undefined;
    await writeWhole(join(folder, object), async (part) => {
      sums = await writeArchive(createReadStream(snapshot), part, { name, key: keys.write, signal });
    });
    if (sums === undefined) throw new BackupError('no snapshot was made');
    return {
      format: 1,
      kind: 'redis',
      name,
      object,
      takenAt: takenAt.toISOString(),
      madeAt: new Date().toISOString(),
      tool,
      server: `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? ''}`,
      isEncrypted,
      sums,
      fingerprint: sealFingerprint(fingerprint, name, keys),
    };
  } finally {
    await rm(snapshot, { force: true });
  }
}

/** Writes the snapshot of a checked archive to a file, whole or not at all. */
export async function writeSnapshot(
  archive: string,
  { manifest, keys }: { manifest: Manifest; keys: Keys },
  file: string,
): Promise<void> {
  await writeWhole(file, async (part) => {
    await rm(part, { force: true });
    const into = createWriteStream(part, { flags: 'wx', mode: 0o600 });
    await readArchive(archive, archiveOf(manifest), keys, into);
  });
}

/**
 * Starts a Redis with a snapshot and compares what is there with the backup.
 *
 * @returns how many keys were compared; the others have expired since
 * @throws {BackupError} that says what differs
 */
export async function compareSnapshot(
  file: string,
  { manifest, keys: secrets }: { manifest: Manifest; keys: Keys },
  signal: AbortSignal,
): Promise<{ compared: number; keys: number }> {
  const wanted = openFingerprint(manifest, secrets) as RedisFingerprint;
  const found = await withSnapshot(file, signal, redisFingerprint);
  const { differences, compared } = redisDifferences(wanted, found, Date.now());
  if (differences.length > 0) {
    throw new BackupError(`what was restored from ${manifest.name} differs: ${differences.join('; ')}`);
  }
  return { compared, keys: Object.values(wanted.databases).reduce((sum, keys) => sum + keys, 0) };
}

/** The password goes by the environment. */
function clientArguments(url: string): { args: string[]; env: Record<string, string> } {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  const env: Record<string, string> = { REDISCLI_AUTH: decodeURIComponent(password) };
  if (password === '') delete env['REDISCLI_AUTH'];
  const user = username === '' ? [] : ['--user', decodeURIComponent(username)];
  if (protocol === 'unix:') return { args: ['-s', decodeURIComponent(pathname), ...user], env };
  const where = ['-h', hostname.replaceAll(/[[\]]/g, ''), '-p', port === '' ? '6379' : port];
  return { args: [...where, ...user, ...(protocol === 'rediss:' ? ['--tls'] : [])], env };
}
