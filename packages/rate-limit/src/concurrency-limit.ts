import { onceOver } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireObject,
} from '@signalbox/options';
import type { RequestHandler } from 'express';
import { signals } from '@signalbox/signals';
import { RateLimitExceededError } from './errors.js';
import { gateOf, type GateOptions } from './gate.js';
import { keyHasher } from './key-hash.js';
import { byAddress, keySourceOf, type KeyFunction } from './keys.js';
import { noteFact } from './outcome.js';
import { requireName } from './require-name.js';

export interface ConcurrencyLimitOptions extends GateOptions {
  /** How many requests of one caller may be under way at once. An integer of at least 1. */
  limit: number;
  /**
   * Names the caller.
   * @default byAddress()
   */
  key?: KeyFunction | undefined;
  /**
   * Names the limit in errors and metrics.
   * @default 'concurrency'
   */
  name?: string | undefined;
  /**
   * What `Retry-After` says, in seconds. An integer of at least 1.
   * @default 1
   */
  retryAfterSeconds?: number | undefined;
  /**
   * Over the limit, requests are counted as refused and let through.
   * @default false
   */
  shadow?: boolean | undefined;
}

const NAMES: readonly (keyof ConcurrencyLimitOptions)[] = [
  'limit',
  'key',
  'name',
  'retryAfterSeconds',
  'shadow',
  'allow',
  'deny',
  'skip',
];

/**
 * Limits how many requests of one caller this process works on at a time. Over it the request goes to the error
 * handler as a `RateLimitExceededError`, status 429. A request is under way until its response is sent or its
 * connection is gone.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.get('/export', concurrencyLimit({ limit: 2, key: byPrincipal() }), exportAll);
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions): RequestHandler {
  requireObject('concurrencyLimit', 'options', options);
  refuseUnknownOptions('concurrencyLimit', options, NAMES);
  const { limit, key = byAddress(), name = 'concurrency', retryAfterSeconds = 1, shadow = false } = options;
  requireInteger('concurrencyLimit', 'limit', limit, 1);
  requireFunction('concurrencyLimit', 'key', key);
  requireName('concurrencyLimit', 'name', name);
  requireInteger('concurrencyLimit', 'retryAfterSeconds', retryAfterSeconds, 1);
  requireBoolean('concurrencyLimit', 'shadow', shadow);
  const admit = gateOf('concurrencyLimit', options);
  const { read } = keySourceOf(key, 0);
  // A name of a megabyte would be kept as long as the request.
  const hashOf = keyHasher(undefined);
  /** Requests under way. Callers without any are not in it. */
  const underWay = new Map<string, number>();

  function leave(who: string): void {
    const rest = (underWay.get(who) ?? 0) - 1;
    if (rest > 0) underWay.set(who, rest);
    else underWay.delete(who);
  }

  return function concurrencyLimitMiddleware(req, res, next) {
    const admission = admit === undefined ? 'limit' : admit(req);
    if (admission !== 'limit') return next(admission === 'pass' ? undefined : admission);
    const text = read(req);
    if (text === undefined) return next();

    const who = hashOf(text);
    const count = underWay.get(who) ?? 0;
    const isOver = count >= limit;
    const outcome = !isOver ? 'allowed' : shadow ? 'shadow_refused' : 'refused';
    if (signals.rateLimitDecision.hasSubscribers) {
      signals.rateLimitDecision.publish({ zone: name, outcome, local: false });
    }
    noteFact(req, isOver && shadow ? 'shadow' : outcome);

    if (isOver && !shadow) {
      res.setHeader('Retry-After', String(retryAfterSeconds));
      return next(tooMany(name, limit, retryAfterSeconds));
    }
    underWay.set(who, count + 1);
    onceOver(req, res, () => leave(who));
    next();
  };
}

function tooMany(zone: string, limit: number, retryAfterSeconds: number): RateLimitExceededError {
  return new RateLimitExceededError({
    zone,
    message: `Too many requests at once: the limit is ${limit}. Try again when one of them is done.`,
    details: { zone, limit, windowSeconds: 0, retryAfterSeconds },
  });
}
