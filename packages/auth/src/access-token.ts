import type { Claims, VerifiedToken } from './principal.js';
import type { CheckedClaims } from './token-claims.js';

const NONE: readonly string[] = Object.freeze([]);

/**
 * What an access token says. Requests that bring the same token share it, so that nothing in it can be written to.
 * A class, since V8 makes what a literal makes old from the start once some of them have lived long.
 */
export class AccessToken implements VerifiedToken {
  readonly method = 'token';
  readonly subject: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly claims: Claims;
  readonly id: string | undefined;
  readonly family: string | undefined;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly authenticatedAtMs: number | undefined;

  constructor(claims: CheckedClaims) {
    const { sub, exp, jti, sid, auth_time } = claims;
    this.subject = sub;
    // RFC 9068 section 2.2.3.1, and RFC 8693 section 4.2: one string with blanks in between.
    this.roles = namesIn(claims['roles']);
    this.scopes = namesIn(claims['scope'] ?? claims['scopes'] ?? claims['scp']);
    this.claims = deepFrozen(claims);
    this.id = jti as string | undefined;
    this.family = sid as string | undefined;
    this.issuedAtMs = issuedAtMsOf(claims);
    this.expiresAtMs = exp * 1_000;
    this.authenticatedAtMs = typeof auth_time === 'number' ? auth_time * 1_000 : undefined;
    Object.freeze(this);
  }
}

/** Without milliseconds it was issued at the beginning of its second: what was revoked in that second stays so. */
export function issuedAtMsOf({ iat, iat_ms }: Claims): number {
  if (typeof iat_ms === 'number') return iat_ms;
  return typeof iat === 'number' ? iat * 1_000 : 0;
}

function namesIn(claim: unknown): readonly string[] {
  const names: readonly unknown[] =
    typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : NONE;
  const texts = names.filter((name): name is string => typeof name === 'string' && name !== '');
  return texts.length === 0 ? NONE : Object.freeze(texts);
}

/** With a list of its own: claims may be nested deeper than calls can. */
function deepFrozen<Value extends object>(value: Value): Value {
  const waiting: object[] = [value];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    for (const inner of Object.values(each)) {
      if (typeof inner === 'object' && inner !== null) waiting.push(inner as object);
    }
    Object.freeze(each);
  }
  return value;
}
