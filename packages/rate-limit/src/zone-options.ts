import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import type { Request, Response } from 'express';
import { byAddress, type KeyFunction } from './keys.js';
import { COMMON_NAMES, COUNT_MODES, STORE_DOWN_POLICIES } from './options.js';
import type { CommonOptions, CountMode, StoreDownPolicy } from './options.js';
import { readRate, type Rate, type RateInput } from './rate.js';
import { requireName } from './require-name.js';

/** What a request costs: a number, or what a function makes of it. */
export type Cost = number | ((req: Request) => number);

/** How a zone counts, and whom. */
export interface ZoneOptions {
  /** How much is allowed. Of zones with plans: for requests without a plan; by default the first plan's. */
  rate?: RateInput | undefined;
  /**
   * Names the caller. Of several key functions each names one, and all of them are counted: an account and an
   * address, say.
   * @default byAddress()
   */
  key?: KeyFunction | readonly KeyFunction[] | undefined;
  /**
   * What a request costs. 0 is free. Of a function, a fraction is rounded up, what is above the limit costs all of
   * it, and what is no number or negative counts as 1.
   * @default 1
   */
  cost?: Cost | undefined;
  /**
   * Whether every request counts, or only `failures`: a request that is answered with a success is taken back.
   * @default 'all'
   */
  count?: CountMode | undefined;
  /** Rates by the names of plans. */
  plans?: Readonly<Record<string, RateInput>> | undefined;
  /** The plan of a request. */
  plan?: ((req: Request) => string | undefined) | undefined;
  /** As for all zones. */
  shadow?: boolean | undefined;
  /** As for all zones. */
  onStoreDown?: StoreDownPolicy | undefined;
}

export interface ZonesOptions<Name extends string = string> extends CommonOptions {
  /** Each zone's rate, or its options. */
  zones: Readonly<Record<Name, RateInput | ZoneOptions>>;
  /**
   * What is a success, for zones that count failures.
   * @default status below 400
   */
  requestWasSuccessful?: ((req: Request, res: Response) => boolean) | undefined;
}

/** A zone, with what is different in one place of the app. */
export interface ZoneUse<Name extends string = string> {
  zone: Name;
  key?: KeyFunction | readonly KeyFunction[] | undefined;
  cost?: Cost | undefined;
  count?: CountMode | undefined;
  shadow?: boolean | undefined;
}

/** A zone's options, with the defaults filled in. */
export interface ResolvedZone {
  readonly name: string;
  readonly rate: Rate;
  readonly plans: ReadonlyMap<string, Rate>;
  readonly plan: ((req: Request) => string | undefined) | undefined;
  readonly keys: readonly KeyFunction[];
  readonly cost: Cost;
  readonly countsFailures: boolean;
  readonly shadow: boolean;
  readonly onStoreDown: StoreDownPolicy;
}

const ZONE_NAMES: readonly (keyof ZoneOptions)[] = [
  'rate',
  'key',
  'cost',
  'count',
  'plans',
  'plan',
  'shadow',
  'onStoreDown',
];
const USE_NAMES: readonly (keyof ZoneUse)[] = ['zone', 'key', 'cost', 'count', 'shadow'];

export const ZONES_NAMES: readonly string[] = [...COMMON_NAMES, 'zones', 'requestWasSuccessful'];

/** One for all zones, so that an address is worked out once however many zones ask for it. */
export type ZoneDefaults = Pick<ResolvedZone, 'keys' | 'shadow' | 'onStoreDown'>;

export function zoneDefaults(shadow: boolean, onStoreDown: StoreDownPolicy): ZoneDefaults {
  return { keys: [byAddress()], shadow, onStoreDown };
}

export function resolveZone(
  name: string,
  given: RateInput | ZoneOptions,
  defaults: ZoneDefaults,
): ResolvedZone {
  requireName('zones', 'zones.<name>', name);
  const at = `zones.${name}`;
  const options = isRate(given) ? { rate: given } : given;
  requireObject('zones', at, options);
  refuseUnknownOptions(`zones: "${at}"`, options, ZONE_NAMES);
  const {
    rate,
    key = defaults.keys,
    cost = 1,
    count = 'all',
    plans = {},
    plan,
    shadow = defaults.shadow,
    onStoreDown = defaults.onStoreDown,
  } = options;

  requireObject('zones', `${at}.plans`, plans);
  const rates = new Map(
    Object.entries(plans).map(([each, text]) => [each, readRate('zones', `${at}.plans.${each}`, text)]),
  );
  if (plan !== undefined) requireFunction('zones', `${at}.plan`, plan);
  if (rates.size > 0 !== (plan !== undefined)) {
    throw new TypeError(`zones: "${at}" must have both "plans" and "plan", or neither`);
  }
  const [first] = rates.values();
  const ownRate = rate === undefined && first !== undefined ? first : readRate('zones', `${at}.rate`, rate);

  requireBoolean('zones', `${at}.shadow`, shadow);
  requireOneOf('zones', `${at}.onStoreDown`, onStoreDown, STORE_DOWN_POLICIES);
  return {
    name,
    rate: ownRate,
    plans: rates,
    plan,
    keys: requireKeys('zones', `${at}.key`, key),
    cost: requireCost('zones', `${at}.cost`, cost, [ownRate, ...rates.values()]),
    countsFailures: isFailures('zones', `${at}.count`, count),
    shadow,
    onStoreDown,
  };
}

/** The zone as it is used in one place. */
export function resolveUse(zone: ResolvedZone, use: ZoneUse): ResolvedZone {
  const at = zone.name;
  refuseUnknownOptions(`zone: "${at}"`, use, USE_NAMES);
  const { key = zone.keys, cost = zone.cost, count, shadow = zone.shadow } = use;
  requireBoolean('zone', `${at}.shadow`, shadow);
  return {
    ...zone,
    keys: requireKeys('zone', `${at}.key`, key),
    cost: requireCost('zone', `${at}.cost`, cost, [zone.rate, ...zone.plans.values()]),
    countsFailures: count === undefined ? zone.countsFailures : isFailures('zone', `${at}.count`, count),
    shadow,
  };
}

/** `{ limit, windowMs }` is a rate as well, such as `rate()` of `@signalbox/config` reads. */
function isRate(given: unknown): given is RateInput {
  return typeof given === 'string' || (typeof given === 'object' && given !== null && 'limit' in given);
}

function requireKeys(
  owner: string,
  option: string,
  key: KeyFunction | readonly KeyFunction[],
): readonly KeyFunction[] {
  const keys = typeof key === 'function' ? [key] : key;
  if (!Array.isArray(keys) || keys.length === 0) {
    throw wrongOption(owner, option, 'a function or a list of functions', key);
  }
  for (const each of keys) requireFunction(owner, option, each);
  return keys;
}

function requireCost(owner: string, option: string, cost: Cost, rates: readonly Rate[]): Cost {
  if (typeof cost === 'function') return cost;
  requireInteger(owner, option, cost, 0);
  for (const { limit, burst } of rates) {
    const capacity = burst === undefined ? limit : burst + 1;
    if (cost <= capacity) continue;
    throw wrongOption(owner, option, `at most ${capacity}, which is all that may come at once`, cost);
  }
  return cost;
}

function isFailures(owner: string, option: string, count: CountMode): boolean {
  requireOneOf(owner, option, count, COUNT_MODES);
  return count === 'failures';
}
