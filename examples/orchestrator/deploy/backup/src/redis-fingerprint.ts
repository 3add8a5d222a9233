import { createHash } from 'node:crypto';
import type { RedisLink, RedisReply } from '@signalbox/redis';
import { BackupError } from './failure.js';
import { connectScratch, type ScratchRedis } from './redis-scratch.js';

const HOUR_MS = 3_600_000;
/** Keys that are looked at in one go. */
const BATCH = 500;

/** Keys that are to go within the same hour, or those that stay. */
interface Bucket {
  keys: number;
  /** The sum of the hashes of their names, contents and times. */
  hash: string;
}

/** What two Redis servers are compared by. */
export interface RedisFingerprint {
  /** By number of the database: keys in it, also those whose time was over. */
  readonly databases: Readonly<Record<string, number>>;
  /**
   * By the hour (since 1970) in which keys expire, or `stay`. What has expired since a backup cannot be compared, and
   * the rest still can.
   */
  readonly buckets: Readonly<Record<string, Bucket>>;
}

/** What is in a Redis that nobody else uses. */
export async function redisFingerprint(redis: ScratchRedis): Promise<RedisFingerprint> {
  const databases = await countKeys(redis);
  const buckets: Record<string, Bucket> = {};
  for (const database of Object.keys(databases)) {
    const link = connectScratch(redis, database);
    try {
      await addKeys(link, database, buckets);
    } finally {
      await link.close();
    }
  }
  return { databases, buckets };
}

async function countKeys(redis: ScratchRedis): Promise<Record<string, number>> {
  const link = connectScratch(redis, '0');
  try {
    const info = textOf(await link.command('INFO', 'keyspace'));
    const counts = [...info.matchAll(/^db(\d+):keys=(\d+)/gm)];
    return Object.fromEntries(counts.map(([, database = '', keys]) => [database, Number(keys)]));
  } finally {
    await link.close();
  }
}

async function addKeys(link: RedisLink, database: string, buckets: Record<string, Bucket>): Promise<void> {
  let cursor: string = '0';
  // A scan may show a key twice while a table grows, which it does not here: nothing is written.
  do {
    const [next, keys] = listOf(await link.commandBytes('SCAN', cursor, 'COUNT', BATCH));
    cursor = textOf(next);
    const names = listOf(keys) as Buffer[];
    if (names.length === 0) continue;
    const [digests, times] = await Promise.all([
      link.command('DEBUG', 'DIGEST-VALUE', ...names),
      Promise.all(names.map((name) => link.command('PEXPIRETIME', name))),
    ]);
    names.forEach((name, index) => {
      const expiresMs = Number(times[index]);
      // Gone since the scan showed it.
      if (expiresMs === -2) return;
      const hour = expiresMs === -1 ? 'stay' : String(Math.floor(expiresMs / HOUR_MS));
      const hash = createHash('sha256')
        .update(`${database}\n${expiresMs}\n${textOf(listOf(digests)[index])}\n`)
        .update(name)
        .digest();
      buckets[hour] = added(buckets[hour], hash);
    });
  } while (cursor !== '0');
}

/** The order of keys means nothing, so hashes are added up, modulo 2^128. */
function added(bucket: Bucket | undefined, hash: Buffer): Bucket {
  const sum = BigInt(`0x${bucket?.hash ?? '0'}`) + BigInt(`0x${hash.toString('hex', 0, 16)}`);
  return { keys: (bucket?.keys ?? 0) + 1, hash: BigInt.asUintN(128, sum).toString(16) };
}

/** What is not as it should be, a sentence each; and how many keys could be compared. */
export function redisDifferences(
  wanted: RedisFingerprint,
  found: RedisFingerprint,
  nowMs: number,
): { differences: string[]; compared: number } {
  const differences: string[] = [];
  for (const database of namesOf(wanted.databases, found.databases)) {
    const [want, have] = [wanted.databases[database] ?? 0, found.databases[database] ?? 0];
    if (want !== have) differences.push(`database ${database} has ${have} keys instead of ${want}`);
  }
  const isOver = (hour: string): boolean => hour !== 'stay' && Number(hour) * HOUR_MS <= nowMs;
  let compared = 0;
  for (const hour of namesOf(wanted.buckets, found.buckets)) {
    if (isOver(hour)) continue;
    const [want, have] = [wanted.buckets[hour], found.buckets[hour]];
    if (want?.hash === have?.hash) compared += want?.keys ?? 0;
    else {
      const which = hour === 'stay' ? 'without an expiry' : `that expire in hour ${hour}`;
      differences.push(`the ${want?.keys ?? 0} keys ${which} are others, or have other content`);
    }
  }
  return { differences, compared };
}

function namesOf(one: object, other: object): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted();
}

function listOf(reply: RedisReply | undefined): readonly RedisReply[] {
  if (Array.isArray(reply)) return reply;
  throw new BackupError('Redis gave an answer that is no list');
}

function textOf(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}
