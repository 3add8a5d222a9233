import type { NextFunction, Request, Response } from 'express';
import { guardLateWrites, onceOver, runInContext } from '@signalbox/context';
import type { CacheKey } from './cache-key.js';
import { canDetach, detached, listenersOf, listenersSince, type Listeners } from './detached.js';
import type { Engine } from './engine.js';
import type { Entry } from './entry.js';
import { Exchange, type Call } from './exchange.js';
import { fieldsNow, restore } from './fields.js';
import { maySubstitute } from './freshness.js';
import { claimOrFind, noteMaking, type Flight } from './flights.js';
import { conditionsOf } from './reply.js';
import { find, flightKeyOf } from './variants.js';

/** A call for a client. */
export type RunnableCall = Omit<Call, 'seen' | 'isBackground'> & {
  readonly res: Response;
  /** By the clock of `performance.now()`, when its client has waited long enough if there is an older answer. */
  readonly softUntil: number;
};

/** Lets the handlers answer while the cache listens. */
export function runCall(call: RunnableCall, next: NextFunction): void {
  const { engine, req, res, stale, flight } = call;
  const exchange = new Exchange({ ...call, seen: res, isBackground: false });
  // What is for nobody else need not be made whole for the cache's sake.
  if (flight !== undefined || stale !== undefined) exchange.prepare();
  if (flight !== undefined) noteMaking(req, call.flightKey);
  onceOver(req, res, () => exchange.abandoned());

  if (call.softUntil !== Infinity && stale !== undefined && canDetach(req, res)) {
    const above = listenersOf(req, res);
    const timer = setTimeout(
      () => {
        if (exchange.recorder.hasHead || res.closed || res.socket === null) return;
        if (maySubstitute(stale, engine.now())) giveStale(exchange, call, stale, above);
      },
      Math.max(0, call.softUntil - performance.now()),
    ).unref();
    onceOver(req, res, () => clearTimeout(timer));
  }
  next();
}

/** The client has waited long enough. The handlers go on: what they answer is kept. */
function giveStale(exchange: Exchange, call: RunnableCall, stale: Entry, above: Listeners): void {
  const { engine, req, res, flightKey } = call;
  const { statusCode } = res;
  const below = listenersSince(above, req, res);
  // The call goes on, and with it the right to make the answer.
  const claim = call.flight?.claim;
  if (call.flight !== undefined) call.flight.claim = undefined;
  const fields = exchange.giveStale(stale);
  // Somebody above holds it back: there is no other response to be had yet, and this one is deaf.
  if (!res.headersSent) {
    guardLateWrites(res, () => undefined);
    return claim?.release();
  }
  const other = detached(req, res, below);
  exchange.recorder.redirect(other);
  const flight = engine.flights.start(flightKey);
  flight.hold(claim);
  flight.isSlow = true;
  restore(other, exchange.before);
  const rest = new Exchange({ ...call, res: other, seen: res, flight, isBackground: true });
  rest.inherit(exchange);
  other.on('close', () => rest.abandoned());
  other.statusCode = statusCode;
  restore(other, fields);
}

/** Makes an answer anew once the client has the one there is. Nobody waits for it. */
export function refreshLater(
  engine: Engine,
  req: Request,
  res: Response,
  next: NextFunction,
  key: CacheKey,
  list: Entry | undefined,
  stale: Entry,
): void {
  const flightKey = flightKeyOf(req, key, list);
  if (engine.flights.get(flightKey) !== undefined || !canDetach(req, res)) return;
  // What the handlers answer, and what of it is kept, depends on what stands above them.
  const above = fieldsNow(res);
  // Of a connection that is closed Node knows the other end only where it was asked before: `req.ip`, and whether a
  // proxy is trusted that says how the visitor came, depend on it.
  Reflect.get(req.socket, 'remoteAddress');
  // One of those that come in meanwhile is enough. Node is through with the response a moment after it says so.
  onceOver(req, res, () => setImmediate(refresh));

  function refresh(): void {
    if (engine.flights.get(flightKey) !== undefined) return;
    const flight = engine.flights.start(flightKey);
    makeAnew(flight).catch(() => flight.land('failed'));
  }

  async function makeAnew(flight: Flight): Promise<void> {
    const { claim, found } = await claimOrFind(engine.store, flightKey, 0, async () => {
      const { entry } = await find(engine.store, key, req);
      return entry !== undefined && entry.head.bornAt > stale.head.bornAt ? entry : undefined;
    });
    // Another process makes it, or has made it since this one asked.
    if (claim?.isMine === false || found !== undefined) return flight.land('failed');
    flight.hold(claim);
    const other = detached(req, res, undefined);
    restore(other, above);
    const conditions = conditionsOf(req);
    const call = { engine, req, res: other, key, flightKey, list, stale, why: '', conditions, flight };
    const exchange = new Exchange({ ...call, seen: res, isBackground: true });
    exchange.prepare();
    noteMaking(req, flightKey);
    other.on('close', () => exchange.abandoned());
    runInContext({}, goOn);
  }

  function goOn(): void {
    next();
  }
}
