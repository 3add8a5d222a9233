import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Standing } from './algorithm.js';
import type { Decider, Verdict } from './decision.js';
import type { Admission } from './gate.js';
import type { HeaderOptions } from './headers.js';
import { noteFact, onceSuccessful, passOn, tell, type SuccessTest } from './outcome.js';
import type { Ask } from './store.js';
import type { ZoneTally } from './tally.js';
import { withoutRepetitions, type Zone } from './zone.js';

/** What all middlewares of one `zones()` share. */
export interface ZoneSurroundings {
  readonly limits: Decider;
  readonly headers: HeaderOptions;
  readonly isSuccess: SuccessTest;
  readonly hashOf: (name: string) => string;
  readonly tallyOf: (name: string) => ZoneTally;
}

/** Asks all zones at once, and starts to ask before it returns: what else asks Redis in this turn shares the write. */
export function zoneMiddleware(
  zones: readonly Zone[],
  admit: ((req: Request) => Admission) | undefined,
  { limits, headers, isSuccess, hashOf, tallyOf }: ZoneSurroundings,
): RequestHandler {
  const isUsedTwice = new Set(zones.map(({ name }) => name)).size < zones.length;
  const mayRepeat = isUsedTwice || zones.some(({ keys }) => keys.length > 1);
  const refundable = new Set(zones.filter((zone) => zone.countsFailures).flatMap((zone) => zone.limits));

  function asksOf(req: Request): readonly Ask[] {
    const asks: Ask[] = [];
    for (const zone of zones) zone.addAsks(asks, req, hashOf);
    return mayRepeat ? withoutRepetitions(asks) : asks;
  }

  async function later(
    req: Request,
    res: Response,
    next: NextFunction,
    asks: readonly Ask[],
    answer: Promise<readonly Standing[]>,
  ): Promise<void> {
    let verdict: Verdict;
    try {
      verdict = limits.judge(asks, await answer);
    } catch (error) {
      return withoutStore(req, res, next, asks, error);
    }
    finish(req, res, next, verdict);
  }

  function withoutStore(
    req: Request,
    res: Response,
    next: NextFunction,
    asks: readonly Ask[],
    error: unknown,
  ): void {
    let verdict: Verdict;
    try {
      verdict = limits.withoutStore(asks, error);
    } catch (unavailable) {
      noteFact(req, 'closed');
      return next(unavailable);
    }
    finish(req, res, next, verdict);
  }

  function finish(req: Request, res: Response, next: NextFunction, verdict: Verdict): void {
    tell(req, res, verdict, tallyOf, headers);
    if (refundable.size > 0 && verdict.refused === -1) {
      const charged = verdict.asks.filter(({ limit }) => refundable.has(limit));
      onceSuccessful(req, res, isSuccess, () => void limits.refund(verdict, charged));
    }
    passOn(res, next, verdict);
  }

  return function zoneMiddleware(req, res, next) {
    const admission = admit === undefined ? 'limit' : admit(req);
    if (admission !== 'limit') return next(admission === 'pass' ? undefined : admission);
    const asks = asksOf(req);
    if (asks.length === 0) return next();

    const answer = limits.ask(asks);
    if (answer instanceof Promise) return later(req, res, next, asks, answer);
    finish(req, res, next, answer);
  };
}
