import { TokenError } from './errors.js';

/** Claims that every token here has, once they were checked. */
export interface CheckedClaims {
  readonly sub: string;
  /** In seconds (RFC 7519 section 2, NumericDate). */
  readonly exp: number;
  readonly [claim: string]: unknown;
}

export interface ClaimRules {
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly clockToleranceMs: number;
  readonly now: () => number;
}

/** The last second that a Date can hold; what lies behind it is no date. */
const MAX_SECONDS = 8.64e12;

/**
 * Looks at what a signed token says.
 *
 * @param ignoresTime whether it may have expired
 * @throws {TokenError} when it is not for us, or not now
 */
export function checkClaims(payload: unknown, rules: ClaimRules, ignoresTime = false): CheckedClaims {
  const claims = shapeOf(payload);
  if (typeof claims['iss'] !== 'string' || !rules.issuers.includes(claims['iss'])) {
    throw new TokenError('invalid_token', 'issuer');
  }
  if (!isFor(claims['aud'], rules.audiences)) throw new TokenError('invalid_token', 'audience');
  if (ignoresTime) return claims;

  const { now, clockToleranceMs } = rules;
  const nowMs = now();
  const nbf = claims['nbf'];
  if (typeof nbf === 'number' && nowMs + clockToleranceMs < nbf * 1_000) {
    throw new TokenError('token_not_active', 'not_active');
  }
  // RFC 7519 section 4.1.4: on or after which it must not be accepted.
  if (nowMs - clockToleranceMs >= claims.exp * 1_000) throw new TokenError('token_expired', 'expired');
  return claims;
}

function shapeOf(payload: unknown): CheckedClaims {
  if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) {
    const claims = payload as Record<string, unknown>;
    const { sub, exp, nbf, iat, iat_ms, auth_time, jti, sid } = claims;
    const isRight =
      isName(sub) &&
      isDate(exp) &&
      isAbsentOr(isDate, nbf) &&
      isAbsentOr(isDate, iat) &&
      isAbsentOr(isDate, auth_time) &&
      isAbsentOr(Number.isSafeInteger, iat_ms) &&
      isAbsentOr(isName, jti) &&
      isAbsentOr(isName, sid);
    if (isRight) return claims as CheckedClaims;
  }
  throw new TokenError('invalid_token', 'claims');
}

function isAbsentOr(is: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || is(value);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_SECONDS;
}

/** RFC 7519 section 4.1.3: one string, or several. */
function isFor(aud: unknown, audiences: readonly string[]): boolean {
  if (typeof aud === 'string') return audiences.includes(aud);
  return Array.isArray(aud) && aud.some((each) => audiences.includes(each as string));
}
