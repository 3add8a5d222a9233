import type { Request, Response } from 'express';
import { canDetach } from './detached.js';
import { parseRequestDirectives, RequestDirectives } from './directives.js';
import type { Entry } from './entry.js';

/** What most requests say of caches. */
export const NOTHING_WANTED: RequestDirectives = new RequestDirectives();
const NOT_KEPT = parseRequestDirectives('no-store');

export function isRead(req: Request): boolean {
  return req.method === 'GET' || req.method === 'HEAD';
}

/**
 * What a request wants of caches.
 *
 * @param isHeeded also where it need not be
 */
export function wantedOf(req: Request, isHeeded: boolean): RequestDirectives {
  const field = req.headers['cache-control'];
  if (field === undefined) {
    if (req.headers.pragma === undefined || !isHeeded) return NOTHING_WANTED;
    // RFC 9111 section 5.4.
    return parseRequestDirectives(/\bno-cache\b/i.test(req.headers.pragma) ? 'no-cache' : '');
  }
  if (isHeeded) return parseRequestDirectives(field);
  // RFC 9111 section 5.2.1.5: what is not to be kept is not kept, whatever else is not heeded.
  return /\bno-store\b/i.test(field) ? NOT_KEPT : NOTHING_WANTED;
}

/** Whether it may be used as it is: RFC 9111 sections 4.2 and 5.2.1. */
export function isUsable(entry: Entry, wanted: RequestDirectives, now: number): boolean {
  const { freshUntil, mustValidate, revalidateUntil, errorUntil } = entry.head;
  if (mustValidate || wanted.noCache) return false;
  if (wanted === NOTHING_WANTED) return now < freshUntil;
  if (wanted.maxAge !== undefined && entry.ageMs(now) > wanted.maxAge * 1_000) return false;
  if (wanted.minFresh !== undefined && freshUntil - now < wanted.minFresh * 1_000) return false;
  if (now < freshUntil) return true;
  // Stale only where the answer itself would let it be.
  const isStrict = revalidateUntil <= freshUntil && errorUntil <= freshUntil;
  return wanted.maxStale !== undefined && !isStrict && now - freshUntil <= wanted.maxStale * 1_000;
}

/** RFC 5861 section 3. Not for HEAD, by which no new answer can be made. */
export function mayBeStale(req: Request, res: Response, { head }: Entry, now: number): boolean {
  return !head.mustValidate && now < head.revalidateUntil && req.method === 'GET' && canDetach(req, res);
}

/** Whether each request has to ask for it, as for what says `no-cache` or `max-age=0`. */
export function isAskedEachTime({ head }: Entry): boolean {
  return head.mustValidate || head.freshUntil <= head.bornAt;
}

/** Whether it may be sent where a new one takes too long, or there is none. */
export function maySubstitute({ head }: Entry, now: number): boolean {
  return now < Math.max(head.revalidateUntil, head.errorUntil);
}

/**
 * Whether to make it anew before it is stale: the likelier the nearer that is and the longer it takes, so that of many
 * one is early enough (Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention").
 */
export function isDue({ head }: Entry, now: number): boolean {
  const leftMs = head.freshUntil - now;
  if (leftMs > head.tookMs * 10) return false;
  return -head.tookMs * Math.log(Math.random()) >= leftMs;
}
