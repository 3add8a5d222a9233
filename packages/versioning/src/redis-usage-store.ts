import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import {
  redisLink,
  requirePrefix,
  type RedisArgument,
  type RedisReply,
  type RedisSource,
} from '@signalbox/redis';
import { DAY_MS, OVERFLOW, type UsageCount, type UsageStore } from './usage-store.js';
import { resolveStore, STORE_NAMES, type UsageStoreOptions } from './usage-store-options.js';
import { keyOf, UsageSums } from './usage-sums.js';

export interface RedisUsageStoreOptions extends UsageStoreOptions {
  /**
   * What all keys begin with. Without braces, since those make Redis Cluster's hash tags.
   * @default 'signalbox:versioning:'
   */
  prefix?: string | undefined;
}

/** What one script adds: it must not keep Redis busy for long. */
const MAX_COUNTS = 250;

/** How many days are read at the same time. */
const DAYS_AT_ONCE = 8;

/** How many rows of a day come at once, roughly: within the deadline of a command, and of those that wait behind it. */
const ROWS_AT_ONCE = '250';

/** For how long a batch is known to have been added: longer than somebody tries. */
const BATCH_SECONDS = 86_400;

/**
 * KEYS: the batch, then the days. ARGV: seconds that a batch and a day are kept, rows a day may have, then for each
 * count its day, its field, the fields that stand for it where there is no more room, calls, first and last seen.
 */
const ADD_SCRIPT = `
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
local max = tonumber(ARGV[3])
for i = 4, #ARGV, 7 do
  local key, field = KEYS[tonumber(ARGV[i]) + 1], ARGV[i + 1]
  local calls, first, last = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6])
  local known = redis.call('HGET', key, field)
  if not known and redis.call('HLEN', key) >= max then
    field = ARGV[i + 2]
    known = redis.call('HGET', key, field)
    if not known and redis.call('HLEN', key) >= 2 * max then
      field = ARGV[i + 3]
      known = redis.call('HGET', key, field)
    end
  end
  if known then
    local c, f, l = string.match(known, '^(%d+) (%d+) (%d+)$')
    if c then
      calls = calls + tonumber(c)
      first = math.min(first, tonumber(f))
      last = math.max(last, tonumber(l))
    end
  end
  redis.call('HSET', key, field, string.format('%.0f %.0f %.0f', calls, first, last))
end
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
return 1
`;

/**
 * Keeps counts in Redis, shared by all processes, so that they survive restarts. One hash a day, which expires.
 * Needs Redis 5 or later.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const usage = usageReport({ store: redisUsageStore(new Redis(process.env.REDIS_URL)) });
 */
export function redisUsageStore(source: RedisSource, options: RedisUsageStoreOptions = {}): UsageStore {
  const link = redisLink(source);
  requireObject('redisUsageStore', 'options', options);
  refuseUnknownOptions('redisUsageStore', options, [...STORE_NAMES, 'prefix']);
  const { prefix = 'signalbox:versioning:' } = options;
  requirePrefix('redisUsageStore', prefix);
  const { retentionDays, maxRows, now } = resolveStore('redisUsageStore', options);
  const addScript = link.script('versioning-usage', ADD_SCRIPT);
  // One hash tag: a script of Redis Cluster's may use the keys of one alone.
  const base = `${prefix}{usage}:`;
  const keyOfDay = (day: number): string => `${base}day:${new Date(day * DAY_MS).toISOString().slice(0, 10)}`;
  // A day longer than it is read: clocks differ.
  const daySeconds = String((retentionDays + 1) * (DAY_MS / 1_000));

  async function addPart(id: string, counts: readonly UsageCount[]): Promise<void> {
    const keys = [`${base}batch:${id}`];
    const args: RedisArgument[] = [String(BATCH_SECONDS), daySeconds, String(maxRows)];
    for (const count of counts) {
      const key = keyOfDay(Math.floor(count.lastSeenMs / DAY_MS));
      let place = keys.indexOf(key);
      if (place === -1) place = keys.push(key) - 1;
      const beyond = { ...count, consumer: OVERFLOW };
      const farBeyond = { ...beyond, version: OVERFLOW, route: OVERFLOW };
      const { calls, firstSeenMs, lastSeenMs } = count;
      args.push(place, keyOf(count), keyOf(beyond), keyOf(farBeyond));
      args.push(calls, Math.floor(firstSeenMs), Math.floor(lastSeenMs));
    }
    await addScript(keys, args);
  }

  /** A row that is moved meanwhile may come twice. */
  async function readRows(key: string): Promise<ReadonlyMap<string, string>> {
    const rows = new Map<string, string>();
    let cursor = '0';
    do {
      const [next, words] = pageOf(await link.command('HSCAN', key, cursor, 'COUNT', ROWS_AT_ONCE));
      for (let index = 0; index + 1 < words.length; index += 2) {
        rows.set(String(words[index]), String(words[index + 1]));
      }
      cursor = next;
    } while (cursor !== '0');
    return rows;
  }

  return {
    async add({ id, counts }) {
      for (let start = 0; start < counts.length; start += MAX_COUNTS) {
        await addPart(`${id}.${start}`, counts.slice(start, start + MAX_COUNTS));
      }
    },

    async read() {
      const all = new UsageSums(Infinity);
      const today = Math.floor(now() / DAY_MS);
      const oldest = today - retentionDays + 1;
      // Tomorrow, too: the clock of another process may be ahead.
      for (let start = oldest; start <= today + 1; start += DAYS_AT_ONCE) {
        const days = Array.from(
          { length: Math.min(DAYS_AT_ONCE, today + 2 - start) },
          (_, index) => start + index,
        );
        const read = await Promise.all(days.map((day) => readRows(keyOfDay(day))));
        for (const rows of read) await all.addAll(readDay(rows));
      }
      return all.list();
    },
  };
}

/** The answer to HSCAN: where to go on, and names and values in turn. */
function pageOf(reply: RedisReply): readonly [string, readonly unknown[]] {
  const [next, words] = Array.isArray(reply) ? reply : [];
  return [String(next ?? '0'), Array.isArray(words) ? words : []];
}

/** What is not of this store's writing is passed over. */
function* readDay(rows: ReadonlyMap<string, string>): Generator<UsageCount> {
  for (const [field, value] of rows) {
    const names = namesOf(field);
    const numbers = /^(\d+) (\d+) (\d+)$/.exec(value);
    if (names === undefined || numbers === null) continue;
    const [version, consumer, route] = names;
    const [, calls, firstSeenMs, lastSeenMs] = numbers.map(Number);
    if (calls === undefined || firstSeenMs === undefined || lastSeenMs === undefined) continue;
    yield { version, consumer, route, calls, firstSeenMs, lastSeenMs };
  }
}

function namesOf(field: string): readonly [string, string, string] | undefined {
  try {
    const names: unknown = JSON.parse(field);
    const isNames =
      Array.isArray(names) && names.length === 3 && names.every((name) => typeof name === 'string');
    return isNames ? (names as [string, string, string]) : undefined;
  } catch {
    return undefined;
  }
}
