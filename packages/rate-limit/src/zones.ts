import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireObject,
  shown,
  suggestion,
  wrongOption,
} from '@signalbox/options';
import { outageOf } from '@signalbox/redis';
import type { Request, RequestHandler } from 'express';
import type { Standing } from './algorithm.js';
import { decider, type Verdict } from './decision.js';
import { waitSeconds } from './errors.js';
import { gateOf } from './gate.js';
import { tightest } from './headers.js';
import { keyHasher } from './key-hash.js';
import type { Limit } from './limit.js';
import { nginxText } from './nginx.js';
import { FEATURE, resolveCommon } from './options.js';
import { answeredBelow400 } from './outcome.js';
import { zoneReport, type ZoneReport } from './report.js';
import { ZoneTally } from './tally.js';
import { chargeable, withoutRepetitions, zoneOf, type Zone } from './zone.js';
import { zoneMiddleware } from './zone-middleware.js';
import { resolveUse, resolveZone, zoneDefaults, ZONES_NAMES } from './zone-options.js';
import type { ResolvedZone, ZonesOptions, ZoneUse } from './zone-options.js';

/** What a middleware does differently from the others. */
export interface ZoneMiddlewareOptions {
  /** Whether the zones do not apply to a request. */
  skip?: ((req: Request) => boolean) | undefined;
  /** As of the zones. */
  shadow?: boolean | undefined;
}

export interface TakeOptions {
  /**
   * What it costs.
   * @default 1
   */
  cost?: number | undefined;
  /** The caller's plan, in a zone with plans. */
  plan?: string | undefined;
}

/** What came of {@link Zones.take}. */
export interface Decision {
  /** Whether it may go on. In shadow mode it always may. */
  readonly allowed: boolean;
  readonly zone: string;
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
  /** Whole seconds until it would be allowed; `undefined` where it is. */
  readonly retryAfterSeconds: number | undefined;
  /** Who counted: the `store`, or `local` this process; `open`: nobody. */
  readonly source: 'store' | 'local' | 'open';
}

/** Named limits that share a store. */
export interface Zones<Name extends string> {
  /**
   * Makes a middleware of one zone or of several, which are asked in one round trip. When one of them refuses, none
   * of the others is charged.
   *
   * @throws {TypeError} when there is no such zone, or an option is wrong
   *
   * @example
   * app.get('/search', limits.zone(['api', 'search']), search);
   */
  zone(
    use: Name | ZoneUse<Name> | readonly (Name | ZoneUse<Name>)[],
    options?: ZoneMiddlewareOptions,
  ): RequestHandler;
  /**
   * Counts what is no request, such as an event of a socket, in the same zone.
   *
   * @param key an address, an API key, a user's id: what the zone's key function reads from requests. For a zone of
   *   several key functions a list, in their order.
   * @throws {ServiceUnavailableError} when the store is down and the zone is `closed` then
   */
  take(name: Name, key: ZoneKey, options?: TakeOptions): Promise<Decision>;
  /** Forgets what a caller has used. */
  reset(name: Name, key: ZoneKey): Promise<void>;
  /** What each zone allows and what this process has seen. Names no caller. */
  report(): ZoneReport[];
  /** The same limits for nginx in front of the app, as far as nginx can say them. */
  nginx(): string;
  /** Forgets what was counted locally. Does not close the store's client. */
  close(): void;
}

/** Who is meant; of a zone with several key functions, by each of them. */
export type ZoneKey = string | readonly (string | undefined)[];

/**
 * Defines named limits: fixed windows (`5/15m`), GCRA with nginx' burst (`10/s burst 20`) and sliding windows
 * (`100/h sliding`), with costs and plans.
 *
 * Counted responses carry `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). Over a limit the
 * request goes to the error handler as a `RateLimitExceededError`, status 429 (RFC 6585 section 4), with
 * `Retry-After` in seconds (RFC 9110 section 10.2.3).
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const limits = zones({
 *   store: redisStore(redis),
 *   zones: { api: '10/s burst 20', login: { rate: '5/15m', count: 'failures' } },
 * });
 * app.use(limits.zone('api'));
 */
export function zones<Name extends string>(options: ZonesOptions<Name>): Zones<Name> {
  requireObject('zones', 'options', options);
  refuseUnknownOptions('zones', options, ZONES_NAMES);
  const common = resolveCommon('zones', options);
  const { requestWasSuccessful: isSuccess = answeredBelow400 } = options;
  requireFunction('zones', 'requestWasSuccessful', isSuccess);
  const admit = gateOf('zones', options);

  requireObject('zones', 'zones', options.zones);
  const defaults = zoneDefaults(common.shadow, common.onStoreDown);
  const resolved = new Map<string, ResolvedZone>();
  const known = new Map<string, Zone>();
  const tallies = new Map<string, ZoneTally>();
  for (const name in options.zones) {
    const zone = resolveZone(name, options.zones[name], defaults);
    resolved.set(name, zone);
    known.set(name, zoneOf(zone));
    tallies.set(name, new ZoneTally());
  }
  if (known.size === 0) throw new TypeError('zones: "zones" must name at least one zone, got none');

  const hashOf = keyHasher(common.secret);
  const limits = decider({
    store: common.store,
    outage: outageOf(common.store, FEATURE),
    instances: common.instances,
    policyOf: ({ name }) => find(resolved, name, 'zones').onStoreDown,
  });
  const surroundings = {
    limits,
    headers: common,
    isSuccess,
    hashOf,
    tallyOf: (name: string) => find(tallies, name, 'zones'),
  };

  /** Everybody who is meant, by their hashes. */
  function callers({ name, keys }: Zone, texts: readonly (string | undefined)[]): string[] {
    if (texts.length !== keys.length) {
      throw new TypeError(
        `zones: the key of "${name}" must be a list of ${keys.length}, got ${texts.length}`,
      );
    }
    return keys.flatMap(({ nameOf }, index) => {
      const text = texts[index];
      return text === undefined ? [] : [hashOf(nameOf(text))];
    });
  }

  return {
    zone(use, own = {}) {
      requireObject('zone', 'options', own);
      refuseUnknownOptions('zone', own, ['skip', 'shadow']);
      if (own.skip !== undefined) requireFunction('zone', 'skip', own.skip);
      if (own.shadow !== undefined) requireBoolean('zone', 'shadow', own.shadow);

      const uses: readonly (Name | ZoneUse<Name>)[] = isList(use) ? use : [use];
      if (uses.length === 0) throw new TypeError('zone: "use" must name at least one zone, got none');
      const used = uses.map((each) => zoneInUse(each, own.shadow));
      return zoneMiddleware(used, withSkip(admit, own.skip), surroundings);
    },

    async take(name, key, takeOptions = {}) {
      const zone = find(known, name, 'take');
      refuseUnknownOptions('take', takeOptions, ['cost', 'plan']);
      const { cost = 1, plan } = takeOptions;
      const limit = zone.limitFor(plan);
      const whom = callers(zone, requireKey('take', key));
      const asks = withoutRepetitions(whom.map((who) => ({ limit, who, cost: chargeable(cost, limit) })));
      if (asks.length === 0 || asks[0]?.cost === 0) return free(limit);

      const answer = limits.ask(asks);
      let verdict: Verdict;
      try {
        verdict = answer instanceof Promise ? limits.judge(asks, await answer) : answer;
      } catch (error) {
        verdict = limits.withoutStore(asks, error);
      }
      note(verdict);
      return decisionOf(limit, verdict);
    },

    async reset(name, key) {
      const zone = find(known, name, 'reset');
      const texts = requireKey('reset', key);
      // One text is meant by whatever key function it may have come from.
      const whom = callers(zone, typeof key === 'string' ? zone.keys.map(() => key) : texts);
      for (const who of whom) await limits.reset(zone.limits, who);
    },

    report: () => [...resolved.values()].map((zone) => zoneReport(zone, find(tallies, zone.name, 'report'))),
    nginx: () => nginxText([...resolved.values()]),
    close: () => limits.close(),
  };

  function zoneInUse(use: Name | ZoneUse<Name>, shadow: boolean | undefined): Zone {
    if (typeof use !== 'string') requireObject('zone', 'use', use);
    const name = typeof use === 'string' ? use : use.zone;
    const zone = find(known, name, 'zone');
    if (typeof use === 'string' && shadow === undefined) return zone;
    const base = find(resolved, name, 'zone');
    const changes: ZoneUse = typeof use === 'string' ? { zone: name } : use;
    return zoneOf(resolveUse(base, { ...changes, shadow: changes.shadow ?? shadow }));
  }

  function note({ asks, standings, source }: Verdict): void {
    for (const [index, ask] of asks.entries()) {
      const standing = standings[index];
      if (standing !== undefined) surroundings.tallyOf(ask.limit.name).add(ask, standing, source === 'local');
    }
  }
}

function requireKey(owner: string, key: ZoneKey): readonly (string | undefined)[] {
  const texts = typeof key === 'string' ? [key] : key;
  if (Array.isArray(texts) && texts.every((text) => text === undefined || typeof text === 'string')) {
    return texts;
  }
  throw wrongOption(owner, 'key', 'a string or a list of strings', key);
}

function isList<Item>(value: Item | readonly Item[]): value is readonly Item[] {
  return Array.isArray(value);
}

function withSkip(
  admit: ReturnType<typeof gateOf>,
  skip: ((req: Request) => boolean) | undefined,
): ReturnType<typeof gateOf> {
  if (skip === undefined) return admit;
  return (req) => {
    const admission = admit === undefined ? 'limit' : admit(req);
    if (admission !== 'limit') return admission;
    // As in the gate: a promise says nothing yet.
    const isSkipped: unknown = skip(req);
    return isSkipped === true ? 'pass' : admission;
  };
}

function find<Value>(map: ReadonlyMap<string, Value>, name: string, owner: string): Value {
  const value = map.get(name);
  if (value !== undefined) return value;
  throw new TypeError(`${owner}: there is no zone ${shown(name)}; ${suggestion(name, [...map.keys()])}`);
}

function free({ name, capacity }: Limit): Decision {
  return {
    allowed: true,
    zone: name,
    limit: capacity,
    remaining: capacity,
    resetMs: 0,
    retryAfterSeconds: undefined,
    source: 'open',
  };
}

function decisionOf(limit: Limit, { asks, standings, refused, source }: Verdict): Decision {
  const index = refused === -1 ? tightest(asks, standings) : refused;
  const standing: Standing | undefined = standings[index] ?? standings[0];
  if (standing === undefined) return free(limit);
  const { remaining, resetMs, retryMs } = standing;
  return {
    allowed: refused === -1,
    zone: limit.name,
    limit: limit.capacity,
    remaining,
    resetMs,
    retryAfterSeconds: refused === -1 ? undefined : waitSeconds(retryMs),
    source: source === 'known' ? 'store' : source,
  };
}
