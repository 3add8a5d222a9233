import {
  refuseUnknownOptions,
  requireBoolean,
  requireInteger,
  requireObject,
  requireTokens,
  wrongOption,
} from '@signalbox/options';
import type { OriginFunction } from './origin-functions.js';

/** Who may do what from pages of other origins. */
export interface CorsRule {
  /**
   * Origins such as `https://app.example.com`; `https://*.example.org` for every host below one; functions for what
   * is known only later. `'*'`, by itself, for everybody.
   */
  origins: '*' | readonly (string | OriginFunction)[];
  /** @default ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'] */
  methods?: readonly string[] | undefined;
  /** Request header fields that scripts may send. By default whatever they ask for. */
  allowedHeaders?: readonly string[] | undefined;
  /**
   * Response header fields that scripts may read.
   * @default exposedByDefault
   */
  exposedHeaders?: readonly string[] | undefined;
  /**
   * Whether scripts may send cookies.
   * @default true, and false where origins is '*'
   */
  credentials?: boolean | undefined;
  /**
   * How long browsers may keep the answer to a preflight request.
   * @default 3_600
   */
  maxAgeSeconds?: number | undefined;
}

/** Options of {@link cors}. */
export interface CorsOptions extends CorsRule {
  /**
   * Other rules for paths and all below them; the longest that fits holds. What a rule leaves out is as above;
   * `false` allows nobody.
   */
  paths?: Readonly<Record<string, (Partial<CorsRule> & Pick<CorsRule, 'origins'>) | false>> | undefined;
  /**
   * Refuses origins of plain http but for this machine.
   * @default process.env.NODE_ENV === 'production'
   */
  production?: boolean | undefined;
  /**
   * How long a function of `origins` may take.
   * @default 1_000
   */
  timeoutMs?: number | undefined;
}

/** Header fields that scripts of other origins may read unless told otherwise. */
export const exposedByDefault: readonly string[] = Object.freeze([
  'X-Total-Count',
  'X-Page',
  'X-Per-Page',
  'X-Request-ID',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Link',
  'Location',
  'ETag',
  'Age',
  'Cache-Status',
  'Deprecation',
  'Sunset',
  'X-API-Version',
  'X-API-Deprecation',
  'X-API-Deprecation-Date',
  'Idempotency-Replayed',
]);

const METHODS: readonly string[] = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'];
const RULE = ['origins', 'methods', 'allowedHeaders', 'exposedHeaders', 'credentials', 'maxAgeSeconds'];

/** A rule with nothing left out. */
export interface ResolvedRule {
  /** `cors: "origins"`, or with the path in it. */
  at: string;
  anyone: boolean;
  origins: readonly (string | OriginFunction)[];
  methods: readonly string[];
  allowedHeaders: readonly string[] | undefined;
  exposedHeaders: readonly string[];
  credentials: boolean;
  maxAgeSeconds: number;
}

export interface ResolvedCors {
  main: ResolvedRule;
  /** In lower case, without a slash at the end; the longest first. */
  paths: readonly { path: string; rule: ResolvedRule | false }[];
  production: boolean;
  timeoutMs: number;
}

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveCorsOptions(options: CorsOptions): ResolvedCors {
  requireObject('cors', 'options', options);
  const {
    paths = {},
    production = process.env['NODE_ENV'] === 'production',
    timeoutMs = 1_000,
    ...main
  } = options;
  requireObject('cors', 'paths', paths);
  requireBoolean('cors', 'production', production);
  requireInteger('cors', 'timeoutMs', timeoutMs, 1, 60_000);

  const resolved = Object.entries(paths).map(([path, rule]) => {
    requirePath(path);
    if (rule !== false) requireObject('cors', `paths[${path}]`, rule);
    const inherited = rule !== false && rule.origins === '*' ? { ...main, credentials: undefined } : main;
    return {
      path: path.toLowerCase().replace(/\/$/, ''),
      rule: rule !== false && resolveRule({ ...inherited, ...rule }, `paths[${path}].`),
    };
  });
  return {
    main: resolveRule(main, '', [...RULE, 'paths', 'production', 'timeoutMs']),
    paths: resolved.toSorted((a, b) => b.path.length - a.path.length),
    production,
    timeoutMs,
  };
}

function resolveRule(rule: CorsRule, at: string, known: readonly string[] = RULE): ResolvedRule {
  refuseUnknownOptions('cors', rule, known);
  const {
    origins,
    methods = METHODS,
    allowedHeaders,
    exposedHeaders = exposedByDefault,
    credentials = origins !== '*',
    maxAgeSeconds = 3_600,
  } = rule;

  if (origins !== '*' && !Array.isArray(origins)) {
    throw wrongOption('cors', `${at}origins`, "a list of origins, or '*'", origins);
  }
  requireTokens('cors', `${at}methods`, methods, 'methods');
  if (allowedHeaders !== undefined)
    requireTokens('cors', `${at}allowedHeaders`, allowedHeaders, 'header names');
  requireTokens('cors', `${at}exposedHeaders`, exposedHeaders, 'header names');
  requireBoolean('cors', `${at}credentials`, credentials);
  requireInteger('cors', `${at}maxAgeSeconds`, maxAgeSeconds, 0);
  // Browsers refuse that as well (Fetch section 3.3.5); who reflects the origin instead lets any site act as its visitor.
  if (origins === '*' && credentials) {
    throw wrongOption('cors', `${at}origins`, 'a list where "credentials" is true', origins);
  }
  return {
    at: `cors: "${at}origins"`,
    anyone: origins === '*',
    origins: origins === '*' ? [] : origins,
    methods: methods.map((method) => method.toUpperCase()),
    allowedHeaders,
    exposedHeaders,
    credentials,
    maxAgeSeconds,
  };
}

function requirePath(path: string): void {
  if (/^\/[^?#*\s]*$/.test(path)) return;
  throw wrongOption('cors', 'paths', 'paths such as /public', path);
}
