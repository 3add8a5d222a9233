import {
  refuseUnknownOptions,
  requireInteger,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import { KINDS, type ScreeningKind } from './kinds.js';

/** A kind for each field by name; `'*'` for those that are not named, `false` for none. */
export type FieldKinds = Readonly<Record<string, ScreeningKind | false>>;

/** What fields hold, by their names. */
export interface ScreeningFields {
  /**
   * Parameters of the query, by name.
   * @default 'text'
   */
  query?: ScreeningKind | false | FieldKinds | undefined;
  /**
   * What was parsed from the path. Set where the middleware is mounted on a route; elsewhere there are none yet.
   * @default 'text'
   */
  params?: ScreeningKind | false | FieldKinds | undefined;
  /**
   * The path itself.
   * @default 'text'
   */
  path?: ScreeningKind | false | undefined;
  /**
   * What a parser left in `req.body`, by the name of the nearest key. Buffers and streams are passed over.
   * @default 'text'
   */
  body?: ScreeningKind | false | FieldKinds | undefined;
  /**
   * Header fields, by lower-case name.
   * @default {}
   */
  headers?: FieldKinds | undefined;
  /**
   * Cookies, by name.
   * @default false
   */
  cookies?: ScreeningKind | false | FieldKinds | undefined;
}

/** How much of a request is looked at. */
export interface ScreeningLimits {
  /**
   * Levels of objects and arrays in a body, or of brackets in a parameter's name.
   * @default 32
   */
  maxDepth?: number | undefined;
  /**
   * Fields and items in a body.
   * @default 10_000
   */
  maxKeys?: number | undefined;
  /**
   * Parameters in a query.
   * @default 100
   */
  maxParameters?: number | undefined;
  /**
   * Characters of text in a body, and of the whole query.
   * @default 5_242_880
   */
  maxLength?: number | undefined;
}

export interface ScreeningOptions {
  /** `report` counts and lets pass; `enforce` refuses; `off` looks at nothing. */
  mode: 'off' | 'report' | 'enforce';
  fields?: ScreeningFields | undefined;
  limits?: ScreeningLimits | undefined;
  /**
   * Parameters of the query that may come several times: their names, or `true` for all. `a[]` always may.
   * @default []
   */
  repeatable?: readonly string[] | boolean | undefined;
  /**
   * How many recent findings the report keeps.
   * @default 50
   */
  maxSamples?: number | undefined;
}

/** What a field's name is looked up in; `undefined` means that the part is not looked at. */
export interface KindOf {
  readonly named: ReadonlyMap<string, ScreeningKind | false>;
  readonly others: ScreeningKind | false;
}

const OWNER = 'screening';
const FIELDS = ['query', 'params', 'path', 'body', 'headers', 'cookies'] as const;
const LIMITS = { maxDepth: 32, maxKeys: 10_000, maxParameters: 100, maxLength: 5_242_880 } as const;
const OPTIONS = ['mode', 'fields', 'limits', 'repeatable', 'maxSamples'] as const;
const MODES = ['off', 'report', 'enforce'] as const;

export interface ResolvedScreening {
  readonly mode: 'off' | 'report' | 'enforce';
  readonly query: KindOf | undefined;
  readonly params: KindOf | undefined;
  readonly path: ScreeningKind | false;
  readonly body: KindOf | undefined;
  readonly headers: readonly (readonly [name: string, kind: ScreeningKind])[];
  readonly cookies: KindOf | undefined;
  readonly limits: Readonly<Record<keyof typeof LIMITS, number>>;
  readonly repeatable: ReadonlySet<string> | true;
  readonly maxSamples: number;
}

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ScreeningOptions): ResolvedScreening {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, OPTIONS);
  const { mode, fields = {}, limits = {}, repeatable = [], maxSamples = 50 } = options;
  requireOneOf(OWNER, 'mode', mode, MODES);
  requireObject(OWNER, 'fields', fields);
  refuseUnknownOptions(`${OWNER}: "fields"`, fields, FIELDS);
  requireObject(OWNER, 'limits', limits);
  const names = Object.keys(LIMITS) as (keyof typeof LIMITS)[];
  refuseUnknownOptions(`${OWNER}: "limits"`, limits, names);
  requireInteger(OWNER, 'maxSamples', maxSamples, 0);

  const {
    query = 'text',
    params = 'text',
    path = 'text',
    body = 'text',
    headers = {},
    cookies = false,
  } = fields;
  if (path !== false) requireKind('fields.path', path);
  return {
    mode,
    query: resolveKinds('fields.query', query),
    params: resolveKinds('fields.params', params),
    path,
    body: resolveKinds('fields.body', body),
    headers: resolveHeaders(headers),
    cookies: resolveKinds('fields.cookies', cookies),
    limits: Object.fromEntries(
      names.map((name) => [name, limit(name, limits[name])]),
    ) as ResolvedScreening['limits'],
    repeatable: resolveRepeatable(repeatable),
    maxSamples,
  };
}

function limit(name: keyof typeof LIMITS, value: unknown): number {
  if (value === undefined) return LIMITS[name];
  requireInteger(OWNER, `limits.${name}`, value, 1);
  return value;
}

function resolveKinds(option: string, given: ScreeningKind | false | FieldKinds): KindOf | undefined {
  if (given === false) return undefined;
  if (typeof given === 'string') {
    requireKind(option, given);
    return { named: new Map(), others: given };
  }
  requireObject(OWNER, option, given);
  for (const [name, kind] of Object.entries(given))
    if (kind !== false) requireKind(`${option}.${name}`, kind);
  return { named: new Map(Object.entries(given)), others: given['*'] ?? 'text' };
}

function resolveHeaders(given: FieldKinds): (readonly [string, ScreeningKind])[] {
  requireObject(OWNER, 'fields.headers', given);
  const kinds: (readonly [string, ScreeningKind])[] = [];
  for (const [name, kind] of Object.entries(given)) {
    if (name === '*')
      throw new TypeError('screening: "fields.headers" must name its fields, "*" is not possible there');
    if (kind === false) continue;
    requireKind(`fields.headers.${name}`, kind);
    kinds.push([name.toLowerCase(), kind]);
  }
  return kinds;
}

function resolveRepeatable(given: readonly string[] | boolean): ReadonlySet<string> | true {
  if (given === true) return true;
  if (given === false) return new Set();
  if (!Array.isArray(given) || !given.every((name) => typeof name === 'string')) {
    throw wrongOption(OWNER, 'repeatable', 'a list of names, true or false', given);
  }
  return new Set(given);
}

function requireKind(option: string, kind: unknown): asserts kind is ScreeningKind {
  requireOneOf(OWNER, option, kind, KINDS);
}
