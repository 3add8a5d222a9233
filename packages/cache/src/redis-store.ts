import { outsideRequests } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireSecrets,
  type Secret,
  type Secrets,
} from '@signalbox/options';
import { redisLink, requirePrefix, watchOutage, type RedisReply, type RedisSource } from '@signalbox/redis';
import { KeyNames, type CacheKey } from './cache-key.js';
import type { Entry } from './entry.js';
import { decode, encode } from './entry-codec.js';
import { marksOf, matcherOf, type Mark } from './ledger.js';
import { RedisLedger } from './redis-ledger.js';
import { lockOf } from './redis-lock.js';
import { messages } from './redis-messages.js';
import { Removals } from './removals.js';
import { Shelf } from './shelf.js';
import type { CacheStore } from './store.js';

export interface LocalTierOptions {
  /** @default 33_554_432 */
  maxBytes?: number | undefined;
  /** @default 5_000 */
  maxEntries?: number | undefined;
  /**
   * For how long an entry is used without asking Redis, in milliseconds: the most that a message of an invalidation
   * which is lost can cost.
   * @default 5_000
   */
  ttlMs?: number | undefined;
}

export interface RedisStoreOptions {
  /**
   * Keeps what was used last in this process, too.
   * @default true
   */
  local?: boolean | LocalTierOptions | undefined;
  /**
   * What all keys begin with. Without braces, since those make Redis Cluster's hash tags.
   * @default 'signalbox:cache:'
   */
  prefix?: string | undefined;
  /**
   * Keys the hashes that stand in Redis for hosts and queries; of a list the first. At least 32 bytes, the same
   * for all processes that share answers. Without it they are hashed, too, but can be found by trying.
   */
  secrets?: Secrets | undefined;
  /**
   * For how long the right to make an entry outlives a process that died with it, in milliseconds.
   * @default 1_000
   */
  lockMs?: number | undefined;
}

/**
 * Keeps answers in Redis, shared by all processes, and what was used last in this process, too. Needs Redis 5 or later.
 *
 * A hit is one command. Entries that were cut, changed or written by somebody else are misses, and so is a Redis that
 * does not answer.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * app.use(cache({ store: redisStore(new Redis(process.env.REDIS_URL)) }));
 */
export function redisStore(source: RedisSource, options: RedisStoreOptions = {}): CacheStore {
  const link = redisLink(source);
  const { prefix, secret, local, lockMs } = resolveOptions(options);
  const names = new KeyNames(prefix, secret);
  const ledger = new RedisLedger(link, prefix);
  const { stampKey } = ledger;
  const removals = new Removals();
  const shelf = new Shelf(local.maxBytes, local.maxEntries);
  const outage = watchOutage({ feature: 'cache', probe });
  const locks = lockOf(link, lockMs);
  /** Reads under way for the local tier: of many that ask for one name at the same time one asks Redis. */
  const reading = new Map<string, Promise<Entry | undefined>>();

  const heard = messages(link, `${prefix}messages`, {
    marked: (marks, stamp, after) => ledger.hear(marks, stamp, after),
    dropped(name) {
      forget(name);
      // Redis may have been told to keep it after it was told to forget it.
      if (removals.wasJustKept(name)) void send(link.command('unlink', name));
    },
    missed(isFirst) {
      // Something may have been invalidated meanwhile that is still kept here, or removed that is just being made.
      shelf.clear();
      if (!isFirst) removals.addAll();
      ledger.missed();
    },
  });

  function ask(name: string): Promise<RedisReply[]> {
    if (!link.cluster) return link.commandBytes('mget', name, stampKey) as Promise<RedisReply[]>;
    // Two servers, at the same time.
    return Promise.all([link.commandBytes('get', name), link.commandBytes('get', stampKey)]);
  }

  function readTogether(name: string): Promise<Entry | undefined> {
    const underWay = reading.get(name);
    // It may have been invalidated since it arrived.
    if (underWay !== undefined)
      return underWay.then((entry) => (entry !== undefined && ledger.isCurrent(entry) ? entry : undefined));
    // Whoever asks meanwhile has it from here, too: the deadline of the first is nothing to the others.
    const read = outsideRequests(() => readShared(name)).finally(() => {
      if (reading.get(name) === read) reading.delete(name);
    });
    reading.set(name, read);
    return read;
  }

  async function readShared(name: string): Promise<Entry | undefined> {
    const askedAt = performance.now();
    try {
      const [bytes, stampBytes] = await ask(name);
      const stamp = Buffer.isBuffer(stampBytes) ? Number(stampBytes.toString()) : 0;
      // Also where there is nothing: what is made now has to say what was known.
      await ledger.catchUp(stamp);
      const entry = Buffer.isBuffer(bytes) ? decode(name, bytes) : undefined;
      // One that this process has not heard of, and cannot find out about, may be about this entry.
      if (entry === undefined || ledger.isBehind(stamp)) return undefined;
      if (!ledger.isCurrent(entry)) return undefined;
      // What was read is from before that.
      if (removals.isOwed(name) || removals.wasRemovedSince(name, askedAt)) return undefined;
      if (!removals.wasKeptSince(name, askedAt)) keepLocally(name, entry);
      return entry;
    } catch (error) {
      outage.failed(error, 'open');
      // What is here may be old, by as much as its lifetime allows.
      const kept = shelf.get(name);
      return kept !== undefined && ledger.isCurrent(kept) ? kept : undefined;
    }
  }

  function keepLocally(name: string, entry: Entry): void {
    // Which variants there are is always kept: it saves each of them a round trip.
    if (!local.isOn && !entry.isVariantList) return;
    entry.localUntil = performance.now() + local.ttlMs;
    shelf.set(name, entry);
  }

  function isCurrent(name: string, entry: Entry, askedMsAgo: number): boolean {
    return !removals.isLate(name, askedMsAgo) && ledger.isCurrent(entry);
  }

  function forget(name: string): void {
    shelf.delete(name);
    reading.delete(name);
    removals.add(name);
  }

  /** In a Redis Cluster on the server of the entry, so that a read which is sent after it is done after it. */
  function lockName(key: CacheKey): string {
    return `${prefix}{${names.of(key)}}:lock`;
  }

  async function send(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      outage.failed(error, 'open');
    }
  }

  /** What cannot be removed now is removed as soon as Redis answers. */
  async function removeShared(name: string): Promise<void> {
    try {
      await Promise.all([link.command('unlink', name), heard.tellDropped(name)]);
      removals.settle(name);
    } catch (error) {
      removals.owe(name);
      outage.failed(error, 'open');
    }
  }

  async function probe(): Promise<void> {
    await link.command('get', stampKey);
    await Promise.all(removals.allOwed().map(removeShared));
  }

  /** Frees what the rule has made dead. A few hundred keys at a time, so that nobody waits long. */
  async function sweep(mark: Mark): Promise<void> {
    const matches = matcherOf(mark);
    let cursor = '0';
    do {
      const [next, found] = (await link.command(
        'scan',
        cursor,
        'MATCH',
        `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`,
        'COUNT',
        500,
      )) as [string, string[]];
      // What is no entry, such as the ledger, begins with a hash tag.
      const entries = found.filter((name) => !name.startsWith('{', prefix.length));
      const dead = entries.filter((name) => matches(name.slice(prefix.length, name.lastIndexOf(':'))));
      if (dead.length > 0) await link.command('unlink', ...dead);
      cursor = next;
    } while (cursor !== '0');
  }

  return {
    read(key) {
      const name = names.of(key);
      const kept = shelf.get(name);
      if (
        kept !== undefined &&
        heard.isLive &&
        !ledger.isBehind(0) &&
        performance.now() < kept.localUntil &&
        ledger.isCurrent(kept)
      ) {
        return kept;
      }
      return local.isOn ? readTogether(name) : readShared(name);
    },

    write(key, entry) {
      const name = names.of(key);
      const ttlMs = Math.ceil(entry.head.keptUntil - Date.now());
      if (ttlMs <= 0 || !isCurrent(name, entry, entry.head.tookMs)) return;
      keepLocally(name, entry);
      reading.delete(name);
      removals.noteKept(name);
      return send(link.command('set', name, encode(name, entry), 'PX', ttlMs));
    },

    remove(key) {
      const name = names.of(key);
      forget(name);
      return removeShared(name);
    },

    async invalidate(what) {
      const marks = marksOf(what);
      await ledger.note(marks, `${prefix}messages`);
      if ('tag' in what || link.cluster) return;
      for (const mark of marks) await sweep(mark);
    },

    get stamp() {
      return ledger.stamp;
    },

    isCurrent: (key, entry, askedMsAgo) => isCurrent(names.of(key), entry, askedMsAgo),
    claim(key) {
      // Who asks from now on has to find what another process kept before: no older read will do, and no copy from here.
      reading.clear();
      const kept = shelf.get(names.of(key));
      if (kept !== undefined) kept.localUntil = 0;
      return locks.claim(lockName(key));
    },
    size: () => shelf.size(),
    close() {
      heard.close();
      outage.close();
      shelf.clear();
    },
  };
}

interface Resolved {
  prefix: string;
  secret: Secret | undefined;
  lockMs: number;
  local: { isOn: boolean; maxBytes: number; maxEntries: number; ttlMs: number };
}

function resolveOptions(options: RedisStoreOptions): Resolved {
  requireObject('redisStore', 'options', options);
  refuseUnknownOptions('redisStore', options, ['local', 'prefix', 'secrets', 'lockMs']);
  const { local = true, prefix = 'signalbox:cache:', secrets, lockMs = 1_000 } = options;
  requirePrefix('redisStore', prefix);
  const [secret] = secrets === undefined ? [] : requireSecrets('redisStore', 'secrets', secrets);
  requireMilliseconds('redisStore', 'lockMs', lockMs, 100);

  if (typeof local !== 'boolean') {
    requireObject('redisStore', 'local', local);
    refuseUnknownOptions('redisStore: "local"', local, ['maxBytes', 'maxEntries', 'ttlMs']);
  }
  const tier = typeof local === 'boolean' ? {} : local;
  const { maxBytes = 32 * 1024 * 1024, maxEntries = 5_000, ttlMs = 5_000 } = tier;
  requireInteger('redisStore', 'local.maxBytes', maxBytes, 1);
  requireInteger('redisStore', 'local.maxEntries', maxEntries, 1, 10_000_000);
  requireMilliseconds('redisStore', 'local.ttlMs', ttlMs);
  return {
    prefix,
    secret,
    lockMs,
    local: { isOn: local !== false, maxBytes, maxEntries, ttlMs },
  };
}
