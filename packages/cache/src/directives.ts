/** What a cache is told by `Cache-Control` (RFC 9111 section 5.2.2), or by a field that is meant for it alone. */
export class Directives {
  noStore = false;
  /** Without field names; with them it is `noCacheFields`. */
  noCache = false;
  isPrivate = false;
  isPublic = false;
  mustRevalidate = false;
  proxyRevalidate = false;
  mustUnderstand = false;
  /** In seconds, as all that follows. */
  maxAge: number | undefined = undefined;
  sMaxAge: number | undefined = undefined;
  staleWhileRevalidate: number | undefined = undefined;
  staleIfError: number | undefined = undefined;
  /** Fields that may not be sent from the cache: those of `no-cache="…"` and `private="…"`. */
  withheld: string[] = [];
}

/** Of a request (RFC 9111 section 5.2.1). */
export class RequestDirectives {
  noStore = false;
  noCache = false;
  onlyIfCached = false;
  maxAge: number | undefined = undefined;
  minFresh: number | undefined = undefined;
  /** `Infinity` where it has no value. */
  maxStale: number | undefined = undefined;
}

/** RFC 9111 section 1.2.2: what is more than can be represented counts as this. */
const MAX_DELTA_SECONDS = 2 ** 31;

/** One directive: its name and, where there is one, its value, quoted or not. */
const DIRECTIVE = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[^,]*(?:,|$)/gy;

/** Reads `Cache-Control`. What cannot be read is passed over, and a lifetime that is no number is none at all. */
export function parseCacheControl(field: string): Directives {
  const directives = new Directives();
  forEachDirective(field, (name, value) => apply(directives, name, value));
  return directives;
}

export function parseRequestDirectives(field: string): RequestDirectives {
  const directives = new RequestDirectives();
  forEachDirective(field, (name, value) => {
    if (name === 'no-store') directives.noStore = true;
    else if (name === 'no-cache') directives.noCache = true;
    else if (name === 'only-if-cached') directives.onlyIfCached = true;
    else if (name === 'max-age') directives.maxAge = lifetime(value);
    else if (name === 'min-fresh') directives.minFresh = lifetime(value);
    else if (name === 'max-stale') directives.maxStale = value === undefined ? Infinity : lifetime(value);
  });
  return directives;
}

function forEachDirective(field: string, take: (name: string, value: string | undefined) => void): void {
  let at = 0;
  while (at < field.length) {
    const first = field.charCodeAt(at);
    // Space, tab, comma.
    if (first === 32 || first === 9 || first === 44) {
      at += 1;
      continue;
    }
    DIRECTIVE.lastIndex = at;
    const found = DIRECTIVE.exec(field);
    if (found !== null) {
      const [whole, name = '', quoted, token] = found;
      take(name.toLowerCase(), quoted ?? token);
      at += Math.max(1, whole.length);
    } else {
      const comma = field.indexOf(',', at);
      at = comma === -1 ? field.length : comma + 1;
    }
  }
}

function apply(directives: Directives, name: string, value: string | undefined): void {
  switch (name) {
    case 'no-store':
      directives.noStore = true;
      break;
    case 'no-cache':
      if (value === undefined || value === '') directives.noCache = true;
      else directives.withheld.push(...fieldNames(value));
      break;
    case 'private':
      if (value === undefined || value === '') directives.isPrivate = true;
      else directives.withheld.push(...fieldNames(value));
      break;
    case 'public':
      directives.isPublic = true;
      break;
    case 'must-revalidate':
      directives.mustRevalidate = true;
      break;
    case 'proxy-revalidate':
      directives.proxyRevalidate = true;
      break;
    case 'must-understand':
      directives.mustUnderstand = true;
      break;
    case 'max-age':
      directives.maxAge = shorter(directives.maxAge, lifetime(value));
      break;
    case 's-maxage':
      directives.sMaxAge = shorter(directives.sMaxAge, lifetime(value));
      break;
    case 'stale-while-revalidate':
      directives.staleWhileRevalidate = shorter(directives.staleWhileRevalidate, lifetime(value));
      break;
    case 'stale-if-error':
      directives.staleIfError = shorter(directives.staleIfError, lifetime(value));
      break;
    default:
  }
}

/** RFC 9111 section 4.2.1: of two that differ the response may count as stale, or the first holds; the less is safe. */
function shorter(known: number | undefined, next: number): number {
  return known === undefined ? next : Math.min(known, next);
}

function lifetime(value: string | undefined): number {
  if (value === undefined || !/^\d+$/.test(value)) return 0;
  return Math.min(Number(value), MAX_DELTA_SECONDS);
}

function fieldNames(value: string): string[] {
  return value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const BARE_ITEM =
  /-?\d{1,12}\.\d{1,3}|-?\d{1,15}|"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y;

/**
 * Reads a targeted field such as `CDN-Cache-Control`: a Dictionary of Structured Fields (RFC 9213 section 2.1, RFC 8941
 * section 4.2.2).
 *
 * @returns `undefined` where it is none, or empty: the response is then governed by `Cache-Control`
 */
export function parseTargeted(field: string): Directives | undefined {
  const members = new Map<string, string | true>();
  let at = 0;

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(field);
    if (found === null) return undefined;
    at += found[0].length;
    return found[0];
  }

  take(/ */y);
  while (at < field.length) {
    const key = take(KEY);
    if (key === undefined) return undefined;
    let value: string | true = true;
    if (field[at] === '=') {
      at += 1;
      const item = take(BARE_ITEM);
      if (item === undefined) return undefined;
      value = item;
    }
    while (take(/; */y) !== undefined) {
      if (take(KEY) === undefined) return undefined;
      if (take(/=/y) !== undefined && take(BARE_ITEM) === undefined) return undefined;
    }
    members.delete(key);
    members.set(key, value);
    take(/[ \t]*/y);
    if (at >= field.length) break;
    if (take(/,[ \t]*/y) === undefined || at >= field.length) return undefined;
  }
  return members.size === 0 ? undefined : targetedDirectives(members);
}

function targetedDirectives(members: ReadonlyMap<string, string | true>): Directives {
  const directives = new Directives();
  for (const [name, value] of members) {
    if (value === true || value === '?1') apply(directives, name, undefined);
    // A lifetime of another type than an integer is no lifetime: the member is passed over.
    else if (/^\d+$/.test(value)) apply(directives, name, value);
    else if (value.startsWith('"') && (name === 'no-cache' || name === 'private'))
      apply(directives, name, value.slice(1, -1));
  }
  return directives;
}
