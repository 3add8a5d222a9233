import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { facts, routeTemplate } from '@signalbox/context';
import { signals } from '@signalbox/signals';
import { LRUCache } from 'lru-cache';
import type { CacheKey } from './cache-key.js';
import type { Entry } from './entry.js';
import { Flights } from './flights.js';
import { isAskedEachTime, maySubstitute } from './freshness.js';
import type { CacheSettings } from './options.js';
import { endsOlder, PASSING, type Refusal } from './policy.js';
import type { CacheStore } from './store.js';
import { Tally, type Outcome } from './tally.js';

/** For how long it is remembered that what a URL answers is for nobody else: nobody waits for it in vain then. */
const NOT_KEPT_MS = 60_000;

const MAX_REMEMBERED_CHARACTERS = 4_000_000;

/** What all requests of one cache share. */
export class Engine {
  readonly store: CacheStore;
  readonly flights: Flights;
  readonly tally: Tally = new Tally();
  private readonly notKept = new LRUCache<string, number>({
    max: 10_000,
    // Anybody can make up long URLs.
    maxSize: MAX_REMEMBERED_CHARACTERS,
    sizeCalculation: (_until, text) => text.length,
  });
  private readonly hitStatus: string;
  private hasWarned = false;

  constructor(readonly settings: CacheSettings) {
    this.store = settings.store;
    this.flights = new Flights(settings.waitMs);
    this.hitStatus = `${settings.name}; hit; ttl=`;
  }

  now(): number {
    return this.settings.now();
  }

  isNotKept(key: CacheKey): boolean {
    const until = this.notKept.get(key.text);
    return until !== undefined && performance.now() < until;
  }

  /** Whether nobody else can have what is answered: whoever waited for it would wait in vain. */
  isForOneAlone(key: CacheKey, stale: Entry | undefined): boolean {
    if (this.isNotKept(key)) return true;
    if (stale === undefined || !isAskedEachTime(stale)) return false;
    // Where it takes too long all have what there is.
    return this.settings.softTimeoutMs === undefined || !maySubstitute(stale, this.now());
  }

  /** @param instead the status of what there is now in the place of an older one that is kept */
  noteNotKept(key: CacheKey, why: Refusal, instead: number | undefined): void {
    if (!PASSING.has(why)) this.notKept.set(key.text, performance.now() + NOT_KEPT_MS);
    if (instead !== undefined && endsOlder(why, instead)) void this.store.remove(key);
  }

  noteKept(key: CacheKey): void {
    this.notKept.delete(key.text);
  }

  /** Once: it is likely to go on. */
  warnOfTags(error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.emitWarning(`cache: "tags" has failed, and answers are not kept: ${reason}`);
  }

  /** Tells everybody how a request was answered. */
  note(req: Request, outcome: Outcome, route: string | undefined): void {
    this.tally.outcomes[outcome] += 1;
    const known = facts(req);
    known.cacheStatus = outcome;
    // What is sent from here reaches no route that the log and the metrics could name.
    if (route !== undefined) known.route ??= route;
    if (!signals.cacheLookup.hasSubscribers) return;
    signals.cacheLookup.publish({ cache: route ?? routeTemplate(req) ?? this.settings.name, outcome });
  }

  /** `Cache-Status` of a hit (RFC 9211). */
  markHit(res: Response, ttlMs: number): void {
    res.setHeader('Cache-Status', this.hitStatus + String(Math.floor(ttlMs / 1_000)));
    if (this.settings.xCache) res.setHeader('X-Cache', 'HIT');
  }

  /** `Cache-Status` of a request that was passed on, after what caches further on have said. */
  markForwarded(res: ServerResponse, details: string): void {
    const further = res.getHeader('cache-status');
    const own = `${this.settings.name}; ${details}`;
    res.setHeader('Cache-Status', further === undefined ? own : `${String(further)}, ${own}`);
    if (this.settings.xCache) res.setHeader('X-Cache', 'MISS');
  }
}
