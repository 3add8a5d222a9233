import { facts, onceOver } from '@signalbox/context';
import type { NextFunction, Request, Response } from 'express';
import type { Standing } from './algorithm.js';
import type { Verdict } from './decision.js';
import { exceeded } from './errors.js';
import { setHeaders, setRetryAfter, tightest, type HeaderOptions } from './headers.js';
import { StandingInfo } from './info.js';
import type { Ask } from './store.js';
import { factOf, type ZoneTally } from './tally.js';

/** Tells everybody what came of asking: the caller in header fields, the handlers, the log and whoever counts. */
export function tell(
  req: Request,
  res: Response,
  verdict: Verdict,
  tallyOf: (name: string) => ZoneTally,
  headers: HeaderOptions,
): void {
  const { asks, standings, refused, source } = verdict;
  for (let index = 0; index < asks.length; index++) {
    const ask = asks[index] as Ask;
    const standing = standings[index];
    // Of a request that is refused, the limits that it kept were not charged.
    if (standing === undefined || (refused !== -1 && standing.retryMs === 0)) continue;
    tallyOf(ask.limit.name).add(ask, standing, source === 'local');
  }
  noteFact(req, factOf(verdict));

  const index = tightest(asks, standings);
  if (index !== -1) req.rateLimit = new StandingInfo(asks[index] as Ask, standings[index] as Standing);
  // A deadline may have answered meanwhile.
  if (!res.headersSent) setHeaders(res, asks, standings, headers);
}

/** Of several limits the log line keeps what is worth reading. */
export function noteFact(req: Request, fact: string): void {
  const known = facts(req);
  if (fact !== 'allowed' || known.rateLimit === undefined) known.rateLimit = fact;
}

/** Lets the request pass, or refuses it. */
export function passOn(res: Response, next: NextFunction, { asks, standings, refused }: Verdict): void {
  if (refused === -1) return next();
  const { limit } = asks[refused] as Ask;
  const { retryMs } = standings[refused] as Standing;
  // The error carries it, too: for handlers that start anew, and for those that know nothing of it.
  if (!res.headersSent) setRetryAfter(res, retryMs);
  next(exceeded(limit, retryMs));
}

export type SuccessTest = (req: Request, res: Response) => boolean;

/** As express-rate-limit sees it. */
export function answeredBelow400(_req: Request, res: Response): boolean {
  return res.statusCode < 400;
}

/**
 * Calls `onSuccess` when the request has been answered with a success. Of a caller who went away before the
 * handler had answered nobody knows what it would have been, which must not make guessing free: it stays counted.
 */
export function onceSuccessful(
  req: Request,
  res: Response,
  isSuccess: SuccessTest,
  onSuccess: () => void,
): void {
  onceOver(req, res, () => {
    if (res.writableEnded && hasSucceeded(req, res, isSuccess)) onSuccess();
  });
}

/** Where the test throws, nobody else would hear of it, and the process would end. What it did not call a success is none. */
function hasSucceeded(req: Request, res: Response, isSuccess: SuccessTest): boolean {
  try {
    const found: unknown = isSuccess(req, res);
    if (!(found instanceof Promise)) return Boolean(found);
    found.catch(() => undefined);
    throw new TypeError('"requestWasSuccessful" of a rate limit must return true or false, got a promise');
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    return false;
  }
}
