import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { RequestAbortedError, within } from '@signalbox/context';
import { GatewayTimeoutError } from '@signalbox/errors';
import type { CacheKey } from './cache-key.js';
import { Engine } from './engine.js';
import type { Entry } from './entry.js';
import { isUnsafe, watchUnsafe } from './unsafe.js';
import { resolveOptions, type CacheOptions } from './options.js';
import { refreshLater, runCall, type RunnableCall } from './run-call.js';
import { sendEntry, stayPrivate, conditionsOf, type Conditions } from './reply.js';
import { hasCredentials } from './request-fields.js';
import { requireInvalidation } from './require-invalidation.js';
import { isDue, isRead, isUsable, mayBeStale, maySubstitute, NOTHING_WANTED, wantedOf } from './freshness.js';
import { requestKey, variantOf, type NoKey } from './request-key.js';
import { claimOrFind, fitting, isMaking, isOtherVariant, type Flight } from './flights.js';
import type { Invalidation } from './store.js';
import type { CacheReport } from './tally.js';
import { find, flightKeyOf, type Found } from './variants.js';

/** A cache as a middleware, or as two: see {@link cache}. */
export interface Cache extends RequestHandler {
  /** Asks, and lets the request go on at once. For `inParallel` of `@signalbox/compose`. */
  readonly lookup: RequestHandler;
  /** Answers from what {@link Cache.lookup} has found, or listens to what the handlers answer. */
  readonly answer: RequestHandler;
  /**
   * Whether an older answer will be sent if what the handlers answer now is a 5xx: one that can only do worse may
   * answer that.
   */
  standsBy(req: Request): boolean;
  /** Forgets answers, in all processes. Rejects when that cannot be done now. */
  invalidate(what: Invalidation): Promise<void>;
  /** What it has done so far, in this process. */
  report(): CacheReport;
  /** Ends what the store keeps alive. Does not close its client. */
  close(): void;
}

/** What is known of a request between asking and answering. */
class Asked {
  constructor(
    readonly key: CacheKey | NoKey,
    readonly found: Found | Promise<Found> | undefined,
    /** The URL as it stood then. */
    readonly url: string,
  ) {}
}

/**
 * A shared HTTP cache by RFC 9111, for all that stands behind it: handlers, or a proxy to another server.
 *
 * An answer is kept for as long as it says (`Cache-Control`, `Expires`, `CDN-Cache-Control`), and where it says
 * nothing, for `ttlMs`. What might be for one user alone is not: answers with `Set-Cookie` or `private`, and answers to
 * requests with credentials that are not `public`.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use('/api', cache({ store: redisStore(redis), ttlMs: 60_000 }));
 */
export function cache(options: CacheOptions = {}): Cache {
  const engine = new Engine(resolveOptions('cache', options));
  const { store, settings } = engine;
  // Of this cache alone: a request may pass through several.
  const ASKED = Symbol('signalbox.cache.asked');
  const STALE = Symbol('signalbox.cache.stale');
  type AskedRequest = Request & { [ASKED]?: Asked | undefined; [STALE]?: Entry | undefined };

  function ask(req: Request): Asked {
    const key = requestKey(req, settings.keys);
    const url = req.baseUrl + req.url;
    if (typeof key === 'string') return new Asked(key, undefined, url);
    const found = find(store, key, req);
    // Somebody may have refused the request before anybody waits for this.
    if (found instanceof Promise) found.catch(() => undefined);
    return new Asked(key, found, url);
  }

  function lookup(req: AskedRequest, _res: Response, next: NextFunction): void {
    // Who asks is not known yet where the key needs it: it is asked when it is.
    if (isRead(req) && !settings.keys.isPersonal) req[ASKED] = ask(req);
    next();
  }

  /**
   * What `lookup` has asked, where that still fits: who asks may have been found out since, and another URL or tenant
   * put in the place of the first.
   */
  function askedOf(req: AskedRequest): Asked | undefined {
    const asked = req[ASKED];
    if (asked === undefined) return undefined;
    // Only where it is there: another property would cost the request its shape.
    req[ASKED] = undefined;
    // What only the request says of itself is the same.
    if (settings.keys.key === undefined && asked.url === req.baseUrl + req.url) return asked;
    const key = requestKey(req, settings.keys);
    return textOf(key) === textOf(asked.key) ? asked : undefined;
  }

  function answer(req: AskedRequest, res: Response, next: NextFunction): void {
    if (!isRead(req)) {
      if (isUnsafe(req)) watchUnsafe(engine, req, res);
      return bypass(req, res, next, 'fwd=method');
    }
    // For the caches in front as for this one.
    for (const name of settings.keys.vary) res.vary(name);
    const { key, found } = askedOf(req) ?? ask(req);
    if (typeof key === 'string') {
      if (key === 'override') engine.tally.overrides += 1;
      return bypass(req, res, next, 'fwd=bypass');
    }
    if (!(found instanceof Promise)) return decide(req, res, next, key, found);
    void decideLater(req, res, next, key, found);
  }

  async function decideLater(
    req: Request,
    res: Response,
    next: NextFunction,
    key: CacheKey,
    found: Promise<Found>,
  ): Promise<void> {
    let known: Found | undefined;
    try {
      known = await found;
    } catch {
      // A store of the app's own that breaks its promise: as if there were nothing.
    }
    try {
      decide(req, res, next, key, known);
    } catch (error) {
      next(error);
    }
  }

  function decide(
    req: AskedRequest,
    res: Response,
    next: NextFunction,
    key: CacheKey,
    found: Found | undefined,
  ): void {
    if (res.closed) return next(new RequestAbortedError());
    const now = engine.now();
    const isOpenToAll = key.isPersonal || !hasCredentials(req, settings.keys.vary);
    let entry = found?.entry;
    // What was not said to be for everybody is not for those who are somebody.
    if (entry !== undefined && !isOpenToAll && !entry.head.isPublic) entry = undefined;
    if (entry !== undefined && now >= entry.head.keptUntil) entry = undefined;
    const wanted = wantedOf(req, settings.requestDirectives);

    if (entry !== undefined && isUsable(entry, wanted, now)) {
      // By HEAD no new answer can be made.
      if (settings.earlyRefresh && req.method === 'GET' && isDue(entry, now)) {
        req[STALE] = entry;
        refreshLater(engine, req, res, next, key, found?.list, entry);
      }
      return hit(req, res, entry, now, entry.isFresh(now) ? 'hit' : 'stale');
    }
    if (entry !== undefined && wanted === NOTHING_WANTED && mayBeStale(req, res, entry, now)) {
      req[STALE] = entry;
      refreshLater(engine, req, res, next, key, found?.list, entry);
      return hit(req, res, entry, now, 'stale');
    }
    if (wanted.onlyIfCached) return next(new GatewayTimeoutError('There is no stored answer'));
    const why = entry === undefined ? 'fwd=uri-miss' : 'fwd=stale';
    // What cannot be kept for others is neither waited for nor listened to: HEAD has no body, a range is a part.
    if (req.method !== 'GET' || wanted.noStore || req.headers.range !== undefined) {
      return bypass(req, res, next, wanted.noStore ? 'fwd=request' : why);
    }
    if (entry !== undefined) req[STALE] = entry;
    const list = found?.list;
    const flightKey = flightKeyOf(req, key, list);
    const call = {
      engine,
      req,
      res,
      key,
      flightKey,
      list,
      stale: entry,
      why,
      conditions: conditionsOf(req),
      flight: undefined,
      softUntil: performance.now() + (settings.softTimeoutMs ?? Infinity),
    };
    const isAlone = !isOpenToAll && !settings.shared;
    if (isAlone || engine.isForOneAlone(key, entry) || isMaking(req, flightKey)) return runCall(call, next);
    const under = engine.flights.get(flightKey);
    if (under?.isSlow && entry !== undefined && maySubstitute(entry, now)) {
      return hit(req, res, entry, now, 'stale');
    }
    if (under === undefined && store.claim === undefined) {
      return runCall({ ...call, flight: engine.flights.start(flightKey) }, next);
    }
    void joinLater(call, next);
  }

  async function joinLater(call: RunnableCall, next: NextFunction): Promise<void> {
    try {
      await join(call, next);
    } catch (error) {
      next(error);
    }
  }

  /** Waits for whoever makes the answer, or makes it. */
  async function join(asked: RunnableCall, next: NextFunction): Promise<void> {
    const { req, res, key } = asked;
    let call = asked;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const under = engine.flights.get(call.flightKey);
      if (under === undefined) return lead(call, next);
      const landing = await untilLate(call, under.landed);
      if (res.closed) return next(new RequestAbortedError());
      if (landing === undefined) return standIn(call, under);
      if (landing === 'not-kept') break;
      // The next call begins after this request: it may have what that brings, whatever is forgotten meanwhile.
      if (typeof landing === 'object' && landing.isOutdated && attempt === 0) continue;
      const entry = fitting(req, landing, engine.now());
      if (entry !== undefined) {
        const isStale = typeof landing === 'object' && landing.isStale;
        return hit(req, res, entry, engine.now(), 'coalesced', isStale);
      }
      if (landing === 'failed') continue;
      if (!isOtherVariant(req, landing)) break;
      // By now it is known by which fields the answers differ: those who want the same wait for one of them.
      const { entry: variant, list } = await find(store, key, req);
      if (res.closed) return next(new RequestAbortedError());
      if (
        variant !== undefined &&
        isUsable(variant, wantedOf(req, settings.requestDirectives), engine.now())
      ) {
        return hit(req, res, variant, engine.now(), 'coalesced');
      }
      if (list === undefined) break;
      call = { ...call, list, flightKey: flightKeyOf(req, key, list) };
    }
    runCall(call, next);
  }

  /** Makes the answer, unless another process does. */
  async function lead(call: RunnableCall, next: NextFunction): Promise<void> {
    const { req, res, key, flightKey } = call;
    const flight = engine.flights.start(flightKey);
    const claiming = claimOrFind(store, flightKey, settings.waitMs, async () => {
      const known = await find(store, key, req);
      return known.entry !== undefined &&
        isUsable(known.entry, wantedOf(req, settings.requestDirectives), engine.now())
        ? known
        : undefined;
    }).then(({ claim, found }) => {
      flight.hold(claim);
      const entry = found?.entry;
      const vary = found?.list?.head.vary ?? [];
      if (entry !== undefined)
        flight.land({ entry, vary, variant: variantOf(req, vary), isStale: false, isOutdated: false });
      return { entry };
    });
    const claimed = await untilLate(call, claiming);
    const entry = claimed?.entry;
    if (claimed !== undefined && entry === undefined && !res.closed)
      return runCall({ ...call, flight }, next);
    // Whoever comes next may make it, where no other process has.
    claiming.finally(() => flight.land('failed')).catch(() => undefined);
    if (res.closed) return next(new RequestAbortedError());
    if (entry === undefined) return standIn(call, flight);
    hit(req, res, entry, engine.now(), 'coalesced');
  }

  /** What is waited for; `undefined` once that takes too long for a request that may have an older answer. */
  function untilLate<Value>(
    { stale, softUntil }: RunnableCall,
    work: Promise<Value>,
  ): Promise<Value | undefined> {
    if (softUntil === Infinity || stale === undefined) return work;
    const leftMs = Math.max(0, softUntil - performance.now());
    return within<Value | undefined>(leftMs, work, () =>
      maySubstitute(stale, engine.now()) ? undefined : work,
    );
  }

  function standIn({ req, res, stale }: RunnableCall, slow: Flight): void {
    slow.isSlow = true;
    hit(req, res, stale as Entry, engine.now(), 'stale');
  }

  function hit(
    req: Request,
    res: Response,
    entry: Entry,
    now: number,
    outcome: 'hit' | 'stale' | 'coalesced',
    isInPlaceOfNewer = false,
  ): void {
    if (isInPlaceOfNewer) engine.markForwarded(res, 'fwd=stale; detail=none-newer; collapsed');
    else if (outcome === 'coalesced') engine.markForwarded(res, 'fwd=uri-miss; collapsed');
    else engine.markHit(res, entry.head.freshUntil - now);
    engine.note(req, outcome, entry.head.route);
    const isPrivate = settings.shared || settings.keys.isPersonal;
    const conditions: Conditions = conditionsOf(req);
    sendEntry(req, res, entry, conditions, now, isPrivate, (body) => {
      if (body === undefined) res.end();
      else res.end(body);
    });
  }

  function bypass(req: Request, res: Response, next: NextFunction, how: string): void {
    engine.markForwarded(res, how);
    engine.note(req, 'bypass', undefined);
    // What is kept for nobody here is for no cache further on either.
    if ((settings.shared || settings.keys.isPersonal) && isRead(req)) stayPrivate(res);
    next();
  }

  return Object.assign(
    function cacheMiddleware(req: Request, res: Response, next: NextFunction): void {
      answer(req, res, next);
    },
    {
      lookup: Object.defineProperty(lookup, 'name', { value: 'cacheLookup' }),
      answer: Object.defineProperty(answer, 'name', { value: 'cacheAnswer' }),
      standsBy(req: AskedRequest): boolean {
        const stale = req[STALE];
        return stale !== undefined && engine.now() < stale.head.errorUntil;
      },
      async invalidate(what: Invalidation): Promise<void> {
        requireInvalidation('invalidate', what);
        await store.invalidate(what);
      },
      report: () => engine.tally.report(settings.name, store.size()),
      close(): void {
        engine.flights.close();
        store.close();
      },
    },
  );
}

function textOf(key: CacheKey | NoKey): string {
  return typeof key === 'string' ? key : key.text;
}
