import { parseCacheControl, parseTargeted, type Directives } from './directives.js';
import { parseHttpDate } from './http-date.js';

/** A response, as far as it decides whether and for how long it is kept. */
export interface Answer {
  readonly status: number;
  /** A field as it is sent; several lines of one name joined by commas. */
  field(name: string): string | undefined;
}

/** How a cache treats what a response leaves open. */
export interface PolicyOptions {
  readonly shared: boolean;
  readonly ttlMs: number | undefined;
  readonly jitter: number;
  readonly heuristic: boolean;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
}

/** Who asked, and what became of it. */
export interface Circumstances {
  readonly now: number;
  /** How long the answer took. */
  readonly tookMs: number;
  readonly hasCredentials: boolean;
  /** Whether the key holds who asks. */
  readonly isPersonal: boolean;
}

/** For how long an answer may be used, and how. Times are milliseconds since 1970. */
export interface Verdict {
  readonly bornAt: number;
  readonly freshUntil: number;
  readonly revalidateUntil: number;
  readonly errorUntil: number;
  readonly keptUntil: number;
  readonly isPublic: boolean;
  readonly mustValidate: boolean;
  /** Fields that may not be sent from the cache. */
  readonly withheld: readonly string[];
}

/** Why an answer is not kept. */
export type Refusal =
  | 'status'
  | 'no-store'
  | 'private'
  | 'set-cookie'
  | 'credentials'
  | 'vary'
  | 'stream'
  | 'no-freshness'
  | 'too-large'
  | 'incomplete'
  | 'validator'
  /** The function that was to give it its tags has failed. */
  | 'tags';

/** An error is over some time, and what one user may not share others may. */
export const PASSING: ReadonlySet<Refusal> = new Set(['status', 'incomplete', 'validator', 'credentials']);

/** What says of a URL that what it answered is not to be had any more, by everybody or by all without a name. */
const WITHDRAWN: ReadonlySet<number> = new Set([401, 403, 404, 410, 451]);
/** What says nothing of the answers that others get. */
const OF_ONE_ANSWER: ReadonlySet<Refusal> = new Set([...PASSING, 'set-cookie', 'tags']);

/** Whether an answer that is not kept is in the place of an older one all the same (RFC 9111 section 4.3.3). */
export function endsOlder(why: Refusal, status: number): boolean {
  return status >= 400 ? WITHDRAWN.has(status) : !OF_ONE_ANSWER.has(why);
}

/** RFC 9110 section 15.1: what a cache may give a lifetime of its own. 206 is not kept, 5xx never. */
const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
/** What `ttlMs` holds for: a 404 may be there a moment later. */
const SUCCESSES: ReadonlySet<number> = new Set([200, 203, 301, 308]);
/** How long what is stale is kept for want of a newer one, so that it can be asked for by its validator. */
const VALIDATOR_KEPT_MS = 300_000;
/** Nothing is kept longer. */
export const MAX_KEPT_MS: number = 7 * 24 * 3_600_000;

/**
 * Parts, "as you have it", what a condition, range or expectation of the request has met with, and what RFC 6585
 * sections 3 to 5 forbids: it is about who asked, and how.
 */
const NEVER: ReadonlySet<number> = new Set([206, 304, 412, 416, 417, 428, 429, 431]);

/** RFC 9111 section 3, for a shared cache that would rather not than be wrong. */
export function judge(answer: Answer, asked: Circumstances, options: PolicyOptions): Verdict | Refusal {
  const { status } = answer;
  if (status < 200 || status >= 500 || NEVER.has(status)) return 'status';
  if (answer.field('set-cookie') !== undefined || answer.field('set-cookie2') !== undefined)
    return 'set-cookie';
  if (answer.field('vary')?.includes('*') === true) return 'vary';
  // It has no end that anybody could wait for.
  if (answer.field('content-type')?.startsWith('text/event-stream') === true) return 'stream';

  const general = parseCacheControl(answer.field('cache-control') ?? '');
  const targetedField = answer.field('cdn-cache-control');
  // RFC 9213 section 2.2: where the targeted field is valid, nothing else governs the response.
  const targeted = targetedField === undefined ? undefined : parseTargeted(targetedField);
  const directives = targeted ?? general;

  // RFC 9111 section 5.2.2.3: one that understands the status ignores the no-store beside it.
  if (directives.noStore && !(directives.mustUnderstand && HEURISTIC.has(status))) return 'no-store';
  if (directives.mustUnderstand && !HEURISTIC.has(status)) return 'status';
  if (directives.isPrivate && !asked.isPersonal) return 'private';
  const isPublic =
    !directives.isPrivate &&
    (options.shared || directives.isPublic || general.isPublic || directives.sMaxAge !== undefined);
  if (asked.hasCredentials && !isPublic && !asked.isPersonal) return 'credentials';

  return judgeFreshness(answer, asked, options, directives, targeted !== undefined, isPublic);
}

function judgeFreshness(
  answer: Answer,
  { now, tookMs }: Circumstances,
  options: PolicyOptions,
  directives: Directives,
  isTargeted: boolean,
  isPublic: boolean,
): Verdict | Refusal {
  const date = parseHttpDate(answer.field('date'));
  const explicit = explicitLifetime(answer, directives, isTargeted, date ?? now);
  const hasValidator = answer.field('etag') !== undefined || answer.field('last-modified') !== undefined;
  let bornAt = now - initialAgeMs(answer, date, now, tookMs);
  let lifetimeMs = explicit;
  if (lifetimeMs === undefined) {
    // `no-cache` alone is an answer, too: kept, and asked for each time.
    if (directives.noCache && hasValidator) lifetimeMs = 0;
    else if (options.ttlMs !== undefined && SUCCESSES.has(answer.status) && !directives.noCache) {
      lifetimeMs = options.ttlMs * (1 - Math.random() * options.jitter);
      bornAt = now;
    } else if (options.heuristic)
      lifetimeMs = heuristicLifetime(answer, directives, date ?? now, hasValidator);
  }
  if (lifetimeMs === undefined) return 'no-freshness';

  const isFixed = explicit !== undefined || directives.noCache;
  // RFC 9111 sections 5.2.2.2, 5.2.2.8 and 5.2.2.10: not stale, whatever happens.
  const isStrict =
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.sMaxAge !== undefined ||
    directives.noCache;
  const staleFor = (seconds: number | undefined, ownMs: number): number =>
    isStrict ? 0 : seconds === undefined ? ownMs : seconds * 1_000;
  const freshUntil = bornAt + lifetimeMs;
  // RFC 9111 section 5.2.2.4: not even while it is fresh does it go out unasked.
  const usableUntil = directives.noCache ? bornAt : freshUntil;
  const revalidateUntil =
    usableUntil + staleFor(directives.staleWhileRevalidate, options.staleWhileRevalidateMs);
  const errorUntil = usableUntil + staleFor(directives.staleIfError, options.staleIfErrorMs);
  const forValidator = hasValidator && isFixed ? Math.max(freshUntil, now) + VALIDATOR_KEPT_MS : freshUntil;
  const keptUntil = Math.min(Math.max(revalidateUntil, errorUntil, forValidator), now + MAX_KEPT_MS);
  if (keptUntil <= now) return 'no-freshness';
  return {
    bornAt,
    freshUntil,
    revalidateUntil,
    errorUntil,
    keptUntil,
    isPublic,
    mustValidate: directives.noCache,
    withheld: directives.withheld,
  };
}

/** RFC 9111 section 4.2.1. */
function explicitLifetime(
  answer: Answer,
  directives: Directives,
  isTargeted: boolean,
  date: number,
): number | undefined {
  const seconds = directives.sMaxAge ?? directives.maxAge;
  if (seconds !== undefined) return seconds * 1_000;
  if (isTargeted) return undefined;
  const expires = answer.field('expires');
  if (expires === undefined) return undefined;
  const at = parseHttpDate(expires);
  return at === undefined ? 0 : Math.max(0, at - date);
}

/** RFC 9111 section 4.2.2: a tenth of the time since it was changed, at most a day. */
function heuristicLifetime(
  answer: Answer,
  directives: Directives,
  date: number,
  hasValidator: boolean,
): number | undefined {
  if (!HEURISTIC.has(answer.status) && !directives.isPublic) return undefined;
  const changedAt = parseHttpDate(answer.field('last-modified'));
  if (changedAt !== undefined && changedAt < date) return Math.min((date - changedAt) / 10, 86_400_000);
  return hasValidator ? 0 : undefined;
}

/** RFC 9111 section 4.2.3. A `Date` has whole seconds: what was sent just now may seem to be one old. */
function initialAgeMs(answer: Answer, date: number | undefined, now: number, tookMs: number): number {
  const apparentMs = date === undefined ? 0 : now - date;
  const age = parseAge(answer.field('age'));
  return Math.max(
    apparentMs < 1_000 + tookMs ? 0 : apparentMs,
    age === undefined ? tookMs : age * 1_000 + tookMs,
  );
}

/** RFC 9111 section 5.1: of a list the first; what is no number is passed over. */
function parseAge(field: string | undefined): number | undefined {
  if (field === undefined) return undefined;
  const first = field.split(',', 1)[0]?.trim() ?? '';
  return /^\d+$/.test(first) ? Math.min(Number(first), 2 ** 31) : undefined;
}
