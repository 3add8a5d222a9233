import type { Response } from 'express';
import type { Standing } from './algorithm.js';
import { waitSeconds } from './errors.js';
import { MAX_FIELD_INTEGER, toSeconds } from './limit.js';
import type { Ask } from './store.js';

/** Which header fields a middleware sends besides `Retry-After`. */
export interface HeaderOptions {
  /** `RateLimit` and `RateLimit-Policy`. */
  readonly headers: boolean;
  /** `X-RateLimit-Limit`, `-Remaining` and `-Reset`. */
  readonly legacyHeaders: boolean;
}

/**
 * Says how the caller stands (draft-ietf-httpapi-ratelimit-headers-10): `RateLimit-Policy: "api";q=21;w=3` and
 * `RateLimit: "api";r=20;t=1`. Several limits stand in one list, also those of several middlewares. A limit in shadow mode
 * is not mentioned, since nobody needs to mind it.
 */
export function setHeaders(
  res: Response,
  asks: readonly Ask[],
  standings: readonly (Standing | undefined)[],
  { headers, legacyHeaders }: HeaderOptions,
): void {
  if (headers) {
    let policies = '';
    let limits = '';
    for (let index = 0; index < asks.length; index++) {
      const { limit } = asks[index] as Ask;
      const standing = tighterOf(index, asks, standings);
      if (standing === undefined || limit.shadow) continue;
      const separator = policies === '' ? '' : ', ';
      policies += separator + limit.policyField;
      const remaining = Math.min(standing.remaining, MAX_FIELD_INTEGER);
      limits += `${separator}"${limit.name}";r=${remaining};t=${toSeconds(standing.resetMs)}`;
    }
    if (policies !== '') {
      addTo(res, 'RateLimit-Policy', policies);
      addTo(res, 'RateLimit', limits);
    }
  }
  if (legacyHeaders) setLegacyHeaders(res, asks, standings);
}

/**
 * How the caller stands with a limit. Where it is asked with several keys, such as an address and an account, it is named
 * once: at the last of them, by the one that has less left.
 */
function tighterOf(
  index: number,
  asks: readonly Ask[],
  standings: readonly (Standing | undefined)[],
): Standing | undefined {
  const { limit } = asks[index] as Ask;
  let found = standings[index];
  for (let other = 0; other < asks.length; other++) {
    if (other === index || asks[other]?.limit !== limit) continue;
    if (other > index) return undefined;
    const standing = standings[other];
    if (standing === undefined) continue;
    if (found === undefined || isTighter(standing, found)) found = standing;
  }
  return found;
}

function isTighter(one: Standing, other: Standing): boolean {
  return one.remaining === other.remaining ? one.resetMs > other.resetMs : one.remaining < other.remaining;
}

function addTo(res: Response, field: string, members: string): void {
  const before = res.getHeader(field);
  res.setHeader(field, before === undefined ? members : `${String(before)}, ${members}`);
}

function setLegacyHeaders(
  res: Response,
  asks: readonly Ask[],
  standings: readonly (Standing | undefined)[],
): void {
  const index = tightest(asks, standings);
  const ask = asks[index];
  const standing = standings[index];
  if (ask === undefined || standing === undefined) return;
  res.setHeader('X-RateLimit-Limit', String(ask.limit.capacity));
  res.setHeader('X-RateLimit-Remaining', String(standing.remaining));
  res.setHeader('X-RateLimit-Reset', String(Math.ceil((Date.now() + standing.resetMs) / 1000)));
}

/** The limit that is closest to refuse; -1 where there is none but in shadow mode. */
export function tightest(asks: readonly Ask[], standings: readonly (Standing | undefined)[]): number {
  let found = -1;
  let least = Infinity;
  for (let index = 0; index < asks.length; index++) {
    const { limit, cost } = asks[index] as Ask;
    const standing = standings[index];
    if (standing === undefined || limit.shadow) continue;
    const left = standing.retryMs > 0 ? -standing.retryMs : standing.remaining / cost;
    if (left >= least) continue;
    found = index;
    least = left;
  }
  return found;
}

/** RFC 9110 section 10.2.3. */
export function setRetryAfter(res: Response, retryMs: number): void {
  res.setHeader('Retry-After', String(waitSeconds(retryMs)));
}
