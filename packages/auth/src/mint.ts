import { randomUUID } from 'node:crypto';
import { refuseUnknownOptions, requireInteger, requireObject, requireText } from '@signalbox/options';
import { issuedAtMsOf } from './access-token.js';
import { TokenError } from './errors.js';
import type { SigningKey } from './keys.js';
import type { Claims } from './principal.js';
import { signToken } from './signature.js';
import type { CheckedClaims } from './token-claims.js';
import { REFRESH_TYPE } from './token-header.js';
import type { TokenSettings } from './token-options.js';
import type { IssueOptions, TokenPair } from './tokens-interface.js';

/** What somebody signed in for; it stands in each refresh token of the sign-in. */
export interface Grant {
  readonly claims: Claims;
  readonly accessTtlMs: number;
  readonly refreshTtlMs: number;
}

/** What it takes to sign a pair of tokens, and to sign the same ones again. */
export interface Draft {
  readonly accessId: string;
  readonly refreshId: string;
  readonly atMs: number;
  /** When the sign-in was, in seconds. */
  readonly authTime: number;
  /** Of the access token. */
  readonly claims: Claims;
  readonly grant: Grant;
}

/** Which tokens a pair follows, and when. */
export interface Standing {
  readonly subject: string;
  readonly family: string;
  readonly chain: string;
  readonly issuedAtMs: number;
}

/** A refresh token, read. */
export interface RefreshToken extends Standing {
  readonly id: string;
  readonly authTime: number;
  readonly grant: Grant;
}

export function draftOf(
  grant: Grant,
  claims: Claims,
  atMs: number,
  authTime: number = Math.floor(atMs / 1_000),
): Draft {
  return { accessId: randomUUID(), refreshId: randomUUID(), atMs, authTime, claims, grant };
}

/** Signs a pair. Of the same draft, time and key it is the same pair, as far as the algorithm has no chance in it. */
export function signPair(
  { issuers, audiences, types, maxLength, now }: TokenSettings,
  key: SigningKey,
  { subject, family, chain, issuedAtMs }: Standing,
  { accessId, refreshId, atMs, authTime, claims, grant }: Draft,
): TokenPair {
  const common = {
    iss: issuers[0],
    aud: audiences.length === 1 ? audiences[0] : audiences,
    sub: subject,
    sid: family,
    iat: Math.floor(atMs / 1_000),
    iat_ms: issuedAtMs,
    auth_time: authTime,
  };
  const accessExp = toSeconds(atMs + grant.accessTtlMs);
  const access = { ...claims, ...common, jti: accessId, exp: accessExp };
  const refresh = { ...common, jti: refreshId, exp: toSeconds(atMs + grant.refreshTtlMs), chain, grant };

  const accessToken = signToken(access, types[0] ?? '', key);
  const refreshToken = signToken(refresh, REFRESH_TYPE, key);
  if (accessToken.length > maxLength || refreshToken.length > maxLength) {
    throw new TypeError(`tokens: claims must fit into a token of "maxLength" ${maxLength} characters`);
  }
  const expiresIn = Math.max(0, accessExp - Math.floor(now() / 1_000));
  return { accessToken, refreshToken, expiresIn, tokenType: 'Bearer' };
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

/** @throws {TokenError} when it is signed by a key of ours, and yet not as we issue them */
export function refreshTokenOf(claims: CheckedClaims): RefreshToken {
  const { sub, sid, jti, auth_time, chain, grant } = claims;
  const isRight =
    typeof sid === 'string' &&
    typeof jti === 'string' &&
    typeof chain === 'string' &&
    typeof auth_time === 'number' &&
    isGrant(grant);
  if (isRight) {
    const issuedAtMs = issuedAtMsOf(claims);
    return { subject: sub, family: sid, chain, id: jti, issuedAtMs, authTime: auth_time, grant };
  }
  throw new TokenError('invalid_token', 'claims');
}

function isGrant(value: unknown): value is Grant {
  if (typeof value !== 'object' || value === null) return false;
  const { claims, accessTtlMs, refreshTtlMs } = value as Record<string, unknown>;
  return (
    typeof claims === 'object' &&
    claims !== null &&
    Number.isSafeInteger(accessTtlMs) &&
    Number.isSafeInteger(refreshTtlMs)
  );
}

/** What a token has of itself. */
const OWN: readonly string[] = [
  'iss',
  'aud',
  'sub',
  'sid',
  'jti',
  'iat',
  'iat_ms',
  'exp',
  'nbf',
  'auth_time',
];

/** @throws {TypeError} when they are no claims, or not the app's to make */
function requireClaims(owner: string, claims: unknown): asserts claims is Claims {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new TypeError(`${owner}: "claims" must be an object`);
  }
  const own = Object.keys(claims).find((name) => OWN.includes(name));
  if (own !== undefined)
    throw new TypeError(`${owner}: "claims" must not have "${own}", which the token has of itself`);
}

/** @throws {TypeError} when an option or a claim is wrong */
export function grantOf(claims: Claims, options: IssueOptions, settings: TokenSettings): Grant {
  requireClaims('issue', claims);
  requireObject('issue', 'options', options);
  refuseUnknownOptions('issue', options, ['accessTtlMs', 'refreshTtlMs', 'family']);
  if (options.family !== undefined) requireText('issue', 'family', options.family);
  const { accessTtlMs = settings.accessTtlMs, refreshTtlMs = settings.refreshTtlMs } = options;
  // Not longer than what revocations are kept for.
  requireInteger('issue', 'accessTtlMs', accessTtlMs, 1_000, settings.accessTtlMs);
  requireInteger('issue', 'refreshTtlMs', refreshTtlMs, 1_000, settings.refreshTtlMs);
  return { claims, accessTtlMs, refreshTtlMs };
}

/** What an access token is to say: what was given at the sign-in, and over it what the app says now. */
export async function ownClaims(
  owner: string,
  { claims }: TokenSettings,
  subject: string,
  given: Claims,
  family: string,
): Promise<Claims> {
  if (claims === undefined) return given;
  const current = (await claims(subject, given, family)) ?? {};
  requireClaims(owner, current);
  return { ...given, ...current };
}

/** @throws {TypeError} when the keys only verify */
export function requireSigningKey(owner: string, { keys }: TokenSettings): SigningKey {
  const key = keys.signingKey();
  if (key === undefined) throw new TypeError(`${owner}: "keys" must have an active key to sign with`);
  return key;
}
