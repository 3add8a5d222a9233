import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireObject,
  requireOneOf,
} from '@signalbox/options';
import { outageOf } from '@signalbox/redis';
import { rateLimit as expressRateLimit } from 'express-rate-limit';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { decider, type Verdict } from './decision.js';
import { limitUnavailable } from './errors.js';
import { expressStoreOf, verdictOf, windowStore } from './express-store.js';
import { gateOf } from './gate.js';
import { keyHasher } from './key-hash.js';
import { byAddress, keySourceOf, type KeyFunction } from './keys.js';
import { limitOf, type Limit } from './limit.js';
import {
  COMMON_NAMES,
  COUNT_MODES,
  FEATURE,
  resolveCommon,
  type CommonOptions,
  type CountMode,
} from './options.js';
import { answeredBelow400, noteFact, onceSuccessful, passOn, tell } from './outcome.js';
import { requireName } from './require-name.js';
import type { RateLimitStore } from './store.js';
import { ZoneTally } from './tally.js';

export interface RateLimitOptions extends CommonOptions {
  /** Requests allowed per key in one window. An integer of at least 1. */
  limit: number;
  /**
   * Length of the window, in milliseconds.
   * @default 60_000
   */
  windowMs?: number | undefined;
  /**
   * Names the caller.
   * @default byAddress()
   */
  key?: KeyFunction | undefined;
  /**
   * Names the limit in header fields, errors, metrics and keys. Limits of one name and one store share their counts.
   * @default 'default'
   */
  name?: string | undefined;
  /**
   * Whether every request counts, or only `failures`: a request that is answered with a success is taken back.
   * @default 'all'
   */
  count?: CountMode | undefined;
  /**
   * What is a success, for `count: 'failures'`.
   * @default status below 400
   */
  requestWasSuccessful?: ((req: Request, res: Response) => boolean) | undefined;
}

/**
 * Limits how many requests each caller may make in a fixed window, by express-rate-limit, and in Redis by
 * rate-limit-redis.
 *
 * Counted responses carry `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). Over the limit
 * the request goes to the error handler as a `RateLimitExceededError`, status 429 (RFC 6585 section 4), with
 * `Retry-After` in seconds (RFC 9110 section 10.2.3). What happens while the store is down is an option.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use('/login', rateLimit({ limit: 5, windowMs: 15 * 60_000 }));
 */
export function rateLimit(options: RateLimitOptions): RequestHandler {
  const { limit, key, store, common, isSuccess, countsFailures } = resolve(options);
  const { onStoreDown, instances } = common;
  const admit = gateOf('rateLimit', options);
  const hashOf = keyHasher(common.secret);
  const tally = new ZoneTally();
  const tallyOf = (): ZoneTally => tally;
  const inner = store.expressStore?.(limit.name);
  const limits = decider({
    store: inner === undefined ? store : windowStore(inner, store),
    outage: outageOf(store, FEATURE),
    instances,
    policyOf: () => onStoreDown,
  });
  const names = new WeakMap<Request, string>();

  const limiter = expressRateLimit({
    windowMs: limit.windowMs,
    limit: limit.capacity,
    // Their own fields hash the key with SHA-256 on each request. And what they validate is validated here.
    standardHeaders: false,
    legacyHeaders: false,
    validate: false,
    passOnStoreError: false,
    keyGenerator: (req) => names.get(req) ?? '',
    // Who called `next` knows what came of it.
    handler: (_req, _res, next) => next(),
    store: expressStoreOf(limit, limits, inner),
  });

  function finish(req: Request, res: Response, next: NextFunction, verdict: Verdict): void {
    tell(req, res, verdict, tallyOf, common);
    if (countsFailures && verdict.refused === -1) {
      onceSuccessful(req, res, isSuccess, () => void limits.refund(verdict, verdict.asks));
    }
    passOn(res, next, verdict);
  }

  return function rateLimitMiddleware(req, res, next) {
    const admission = admit === undefined ? 'limit' : admit(req);
    if (admission !== 'limit') return next(admission === 'pass' ? undefined : admission);
    const name = key(req);
    if (name === undefined) return next();

    names.set(req, hashOf(name));
    return limiter(req, res, (error?: unknown) => {
      const verdict = verdictOf(req);
      if (error === undefined && verdict !== undefined) return finish(req, res, next, verdict);
      noteFact(req, 'closed');
      next(error ?? limitUnavailable(undefined));
    });
  };
}

const NAMES: readonly string[] = [
  ...COMMON_NAMES,
  'limit',
  'windowMs',
  'key',
  'name',
  'count',
  'requestWasSuccessful',
];

/** Names under which limits count in each store, with the limit. */
const namesInUse = new WeakMap<RateLimitStore, Map<string, string>>();

interface Resolved {
  limit: Limit;
  key: KeyFunction;
  store: RateLimitStore;
  common: ReturnType<typeof resolveCommon>;
  isSuccess: (req: Request, res: Response) => boolean;
  countsFailures: boolean;
}

function resolve(options: RateLimitOptions): Resolved {
  requireObject('rateLimit', 'options', options);
  refuseUnknownOptions('rateLimit', options, NAMES);
  const common = resolveCommon('rateLimit', options);
  const {
    limit: perWindow,
    windowMs = 60_000,
    key = byAddress(),
    name = 'default',
    count = 'all',
    requestWasSuccessful = answeredBelow400,
  } = options;
  requireInteger('rateLimit', 'limit', perWindow, 1);
  requireInteger('rateLimit', 'windowMs', windowMs, 1);
  requireFunction('rateLimit', 'key', key);
  requireName('rateLimit', 'name', name);
  requireOneOf('rateLimit', 'count', count, COUNT_MODES);
  requireFunction('rateLimit', 'requestWasSuccessful', requestWasSuccessful);

  const limit = limitOf(name, { limit: perWindow, windowMs }, common.shadow);
  claimName(common.store, limit);
  return {
    limit,
    key: keySourceOf(key, 0).read,
    store: common.store,
    common,
    isSuccess: requestWasSuccessful,
    countsFailures: count === 'failures',
  };
}

function claimName(store: RateLimitStore, { name, text }: Limit): void {
  const names = namesInUse.get(store) ?? new Map<string, string>();
  namesInUse.set(store, names);
  const other = names.get(name);
  if (other !== undefined && other !== text) {
    throw new TypeError(
      `rateLimit: "name" must differ from that of another limit, got "${name}", under which the store counts ${other}`,
    );
  }
  names.set(name, text);
}
