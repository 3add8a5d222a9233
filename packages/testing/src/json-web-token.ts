import { createHmac, randomUUID, type KeyObject } from 'node:crypto';

/** What a token says of its subject. Other claims are signed as they are given. */
export interface TokenClaims {
  /** Who is signed in (RFC 7519 section 4.1.2). */
  sub: string;
  roles?: readonly string[] | undefined;
  scopes?: readonly string[] | undefined;
  /** Seconds since 1970; by default now. */
  iat?: number | undefined;
  /** Seconds since 1970; by default 15 minutes after `iat`. One in the past makes an expired token. */
  exp?: number | undefined;
  /** By default one of its own, so that a test can revoke the token. */
  jti?: string | undefined;
  [claim: string]: unknown;
}

/** Claims with what every token has. */
export type CompleteClaims = TokenClaims & { iat: number; exp: number; jti: string };

const LIFETIME_SECONDS = 15 * 60;

/** Adds `iat`, `exp` and `jti` where they are not given; a claim of `undefined` is left out. */
export function completeClaims(claims: TokenClaims, nowMs: number): CompleteClaims {
  const given = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  const iat = claims.iat ?? Math.floor(nowMs / 1_000);
  return { iat, exp: iat + LIFETIME_SECONDS, jti: randomUUID(), ...given, sub: claims.sub };
}

/** Signs with HS256 (RFC 7515, RFC 7518 section 3.2). */
export function signHs256(
  claims: CompleteClaims,
  secret: string | Uint8Array | KeyObject,
  header: Readonly<Record<string, unknown>>,
): string {
  const input = `${encode({ typ: 'JWT', ...header, alg: 'HS256' })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
