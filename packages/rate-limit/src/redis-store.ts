import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import {
  redisLink,
  requirePrefix,
  type RedisArgument,
  type RedisLink,
  type RedisReply,
  type RedisSource,
} from '@signalbox/redis';
import { RedisStore as ExpressRedisStore } from 'rate-limit-redis';
import type { Store as ExpressStore } from 'express-rate-limit';
import type { Standing } from './algorithm.js';
import { limitOf, type Limit } from './limit.js';
import { REFUND_SCRIPT, TAKE_SCRIPT } from './scripts.js';
import { refusedIndex, type Ask, type RateLimitStore } from './store.js';

export interface RedisStoreOptions {
  /**
   * What all keys begin with. Without braces, since those make Redis Cluster's hash tags.
   * @default 'signalbox:rate-limit:'
   */
  prefix?: string | undefined;
}

/** A limit as the scripts get it. */
interface Prepared {
  readonly keyPrefix: string;
  /** With a capital in shadow mode. */
  readonly kind: string;
  readonly capacity: string;
  readonly span: string;
}

/**
 * Counts in Redis, shared by all processes. Needs Redis 5 or later.
 *
 * However many limits one middleware asks, it is one script, and so one round trip. A Redis Cluster runs a
 * script over keys of one hash tag only, which is the caller: several limits of one caller are one script there,
 * too. Limits of several callers (an account and an address) are asked at the same time, and what was charged is
 * taken back when another one refuses.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const store = redisStore(new Redis(process.env.REDIS_URL));
 */
export function redisStore(source: RedisSource, options: RedisStoreOptions = {}): RateLimitStore {
  const link = redisLink(source);
  requireObject('redisStore', 'options', options);
  refuseUnknownOptions('redisStore', options, ['prefix']);
  const { prefix = 'signalbox:rate-limit:' } = options;
  requirePrefix('redisStore', prefix);

  const takeScript = link.script('rate-limit', TAKE_SCRIPT, { decode: readStandings });
  const refundScript = link.script('rate-limit-refund', REFUND_SCRIPT);
  const prepared = new Map<Limit, Prepared>();

  function prepare(limit: Limit): Prepared {
    const known = prepared.get(limit);
    if (known !== undefined) return known;
    const { kind, name, capacity, intervalMs, windowMs, shadow } = limit;
    const made = {
      keyPrefix: `${prefix}${kind}:${name}:{`,
      kind: shadow ? kind.toUpperCase() : kind,
      capacity: String(capacity),
      span: String(kind === 'gcra' ? intervalMs : windowMs),
    };
    prepared.set(limit, made);
    return made;
  }

  function send(asks: readonly Ask[]): Promise<Standing[]> {
    const keys: string[] = [];
    const args: string[] = [];
    for (const { limit, who, cost } of asks) {
      const { keyPrefix, kind, capacity, span } = prepare(limit);
      keys.push(`${keyPrefix}${who}}`);
      args.push(kind, capacity, span, cost === 1 ? '1' : String(cost));
    }
    return takeScript(keys, args);
  }

  async function refund(asks: readonly Ask[], standings: readonly Standing[]): Promise<void> {
    const keys: string[] = [];
    const args: RedisArgument[] = [];
    for (const [index, { limit, who, cost }] of asks.entries()) {
      const { keyPrefix, capacity, span } = prepare(limit);
      keys.push(`${keyPrefix}${who}}`);
      args.push(limit.kind, capacity, span, cost, standings[index]?.at ?? 0);
    }
    await refundScript(keys, args);
  }

  async function takeGroups(asks: readonly Ask[], groups: readonly Ask[][]): Promise<Standing[]> {
    const answers = await Promise.allSettled(groups.map(send));
    const known = new Map<Ask, Standing>();
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'rejected') continue;
      for (const [place, ask] of (groups[index] ?? []).entries()) {
        known.set(ask, answer.value[place] as Standing);
      }
    }
    const failure = answers.find((answer) => answer.status === 'rejected');
    const standings = asks.map((ask) => known.get(ask) ?? UNKNOWN);
    if (failure !== undefined || refusedIndex(asks, standings) !== -1) takeBack(groups, known);
    if (failure !== undefined) throw failure.reason;
    return standings;
  }

  /** What one group was charged while another one refused. Nobody waits for it; at worst too much stays charged. */
  function takeBack(groups: readonly Ask[][], known: ReadonlyMap<Ask, Standing>): void {
    for (const group of groups) {
      const standings = group.map((ask) => known.get(ask) ?? UNKNOWN);
      if (refusedIndex(group, standings) !== -1) continue;
      const charged = group.filter((ask) => known.get(ask)?.retryMs === 0);
      if (charged.length === 0) continue;
      refund(
        charged,
        charged.map((ask) => known.get(ask) ?? UNKNOWN),
      ).catch(ignore);
    }
  }

  return {
    take(asks) {
      const groups = link.cluster && asks.length > 1 ? groupsOf(asks) : undefined;
      return groups === undefined ? send(asks) : takeGroups(asks, groups);
    },

    async refund(asks, standings) {
      const groups = link.cluster ? groupsOf(asks) : undefined;
      if (groups === undefined) return refund(asks, standings);
      const known = new Map(asks.map((ask, index) => [ask, standings[index] ?? UNKNOWN]));
      await Promise.all(
        groups.map((group) =>
          refund(
            group,
            group.map((ask) => known.get(ask) ?? UNKNOWN),
          ),
        ),
      );
    },

    async reset(limits, who) {
      const keys = new Set(limits.map((limit) => `${prepare(limit).keyPrefix}${who}}`));
      if (keys.size > 0) await link.command('UNLINK', ...keys);
    },

    /** The very script that requests need, under the hash tag of a key that failed. */
    async probe(who) {
      await send([{ limit: PROBE, who, cost: 1 }]);
    },

    expressStore: (name) => expressRedisStore(link, `${prefix}window:${name}:`),
  };
}

const PROBE = limitOf('probe', { limit: 1_000_000, windowMs: 1_000 }, true);
const UNKNOWN: Standing = { remaining: 0, resetMs: 0, retryMs: 0, at: 0 };

function ignore(): void {
  // The counts stay too high until they expire, which is the safe side.
}

/** By caller; `undefined` where there is one only. */
function groupsOf(asks: readonly Ask[]): Ask[][] | undefined {
  const first = asks[0]?.who;
  if (asks.every(({ who }) => who === first)) return undefined;
  const groups = new Map<string, Ask[]>();
  for (const ask of asks) {
    const group = groups.get(ask.who);
    if (group === undefined) groups.set(ask.who, [ask]);
    else group.push(ask);
  }
  return [...groups.values()];
}

function readStandings(reply: RedisReply): Standing[] {
  const numbers = reply as number[];
  const last = numbers.length - 1;
  const at = numbers[last] as number;
  const standings: Standing[] = [];
  for (let index = 0; index < last; index += 3) {
    standings.push({
      remaining: numbers[index] as number,
      resetMs: numbers[index + 1] as number,
      retryMs: numbers[index + 2] as number,
      at,
    });
  }
  return standings;
}

// DECR on a window that has ended would leave a key that never expires.
const DECREMENT_SCRIPT = `
if redis.call('PTTL', KEYS[1]) > 0 and tonumber(redis.call('GET', KEYS[1])) > 0 then
  redis.call('DECR', KEYS[1])
end
`;

/** rate-limit-redis as it is, but for its `decrement`. */
function expressRedisStore(link: RedisLink, prefix: string): ExpressStore {
  const store = new ExpressRedisStore({
    prefix,
    // Counts and times are all that it asks for.
    sendCommand: (...args) => link.sendCommand(...args) as Promise<number | string | (number | string)[]>,
  });
  const decrement = link.script('rate-limit-decrement', DECREMENT_SCRIPT);
  return {
    init: (options) => store.init(options),
    get: (key) => store.get(key),
    increment: (key) => store.increment(key),
    async decrement(key) {
      await decrement([store.prefixKey(key)], []);
    },
    resetKey: (key) => store.resetKey(key),
  };
}
