import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AccessToken } from './access-token.js';
import { TokenError } from './errors.js';
import type { KeySource } from './keys.js';
import { verifiedPayload } from './signature.js';
import { checkClaims, type CheckedClaims, type ClaimRules } from './token-claims.js';
import { headerReader, REFRESH_TYPE } from './token-header.js';

export interface CheckerSettings extends ClaimRules {
  readonly keys: KeySource;
  /** The `typ` that access tokens may have. */
  readonly types: readonly string[];
  readonly maxLength: number;
  readonly cacheSize: number;
}

/** Says whether tokens are genuine and for us, without asking anybody. */
export interface Checker {
  check(token: string): AccessToken;
  checkRefresh(token: string): CheckedClaims;
  /** Of a token that is to be revoked: expired ones count, too. */
  checkEither(token: unknown): CheckedClaims;
}

export function createChecker(settings: CheckerSettings): Checker {
  const { keys, types, maxLength, cacheSize, now, clockToleranceMs } = settings;
  const readHeader = headerReader(keys);
  // By digest, so that memory holds no token that could be used.
  const remembered = cacheSize === 0 ? undefined : new LRUCache<string, AccessToken>({ max: cacheSize });
  let version = keys.version;

  function requireLength(token: unknown): asserts token is string {
    if (typeof token !== 'string' || token === '') throw new TokenError('invalid_token', 'missing');
    // Before any work: what is longer was not issued here.
    if (token.length > maxLength) throw new TokenError('invalid_token', 'too_long');
  }

  function open(token: string, isType: (typ: string) => boolean, ignoresTime = false): CheckedClaims {
    const { key, typ } = readHeader(token);
    if (!isType(typ)) throw new TokenError('invalid_token', 'type');
    return checkClaims(verifiedPayload(token, key), settings, ignoresTime);
  }

  const isAccess = (typ: string): boolean => types.includes(typ);
  const isRefresh = (typ: string): boolean => typ === REFRESH_TYPE;

  return {
    check(token) {
      requireLength(token);
      if (remembered === undefined) return new AccessToken(open(token, isAccess));
      if (version !== keys.version) {
        // A key is gone, and with it what it signed.
        remembered.clear();
        version = keys.version;
      }
      const digest = hash('sha256', token, 'base64');
      const known = remembered.get(digest);
      if (known !== undefined) {
        if (now() - clockToleranceMs < known.expiresAtMs) return known;
        remembered.delete(digest);
        throw new TokenError('token_expired', 'expired');
      }
      const verified = new AccessToken(open(token, isAccess));
      remembered.set(digest, verified);
      return verified;
    },

    checkRefresh(token) {
      requireLength(token);
      return open(token, isRefresh);
    },

    checkEither(token) {
      requireLength(token);
      return open(token, (typ) => isAccess(typ) || isRefresh(typ), true);
    },
  };
}
