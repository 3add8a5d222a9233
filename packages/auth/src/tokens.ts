import { randomUUID } from 'node:crypto';
import { requireText, wrongOption } from '@signalbox/options';
import { AccessToken } from './access-token.js';
import { createChecker } from './checker.js';
import { TokenError } from './errors.js';
import { jwksRoute } from './jwks-route.js';
import { knownRevoked } from './known-revoked.js';
import { draftOf, grantOf, ownClaims, requireSigningKey, signPair } from './mint.js';
import type { VerifiedToken } from './principal.js';
import { refreshing } from './refresh.js';
import { kept, revocationOf } from './revocation.js';
import type { RevocationEvent } from './revocation-event.js';
import { publishToken, refusal } from './token-events.js';
import { MAX_ACCESS_TTL_MS, resolveOptions, type TokensOptions } from './token-options.js';
import type { CheckedClaims } from './token-claims.js';
import type { StoreDownPolicy, Tokens, VerifyOptions } from './tokens-interface.js';

/** Revocations are kept a little longer than what they revoke is valid, since clocks differ. */
const SLACK_MS = 60_000;

/**
 * Issues, refreshes, verifies and revokes tokens (RFC 7519, RFC 9068).
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const auth = tokens({ keys: keyRing(secretKeys(secret)), issuer: 'https://app.example', audience: 'https://app.example' });
 * const { accessToken } = await auth.issue('u_1', { roles: ['admin'] });
 */
export function tokens(options: TokensOptions): Tokens {
  const settings = resolveOptions(options);
  const { keys, store, bus, now, onStoreDown, clockToleranceMs } = settings;
  const checker = createChecker(settings);
  const known = knownRevoked();
  const askRevocation = revocationOf(store, known);
  // Access tokens may be from when they lived longer.
  const goneMs = Math.max(settings.refreshTtlMs, MAX_ACCESS_TTL_MS) + clockToleranceMs + SLACK_MS;
  const unsubscribe = bus?.on((event) => known.add(event));

  /** Tells everybody; who does not hear of it asks the store. */
  function tell(event: RevocationEvent): void {
    known.add(event);
    bus?.publish(event).catch(ignore);
  }

  function checked(token: string): VerifiedToken {
    try {
      return checker.check(token);
    } catch (error) {
      throw refusal(error, 'access');
    }
  }

  /** What is no text is refused there: an object of a request's body is no token that was verified. */
  function checkedEither(token: unknown): CheckedClaims {
    try {
      return checker.checkEither(token);
    } catch (error) {
      throw refusal(error, 'access');
    }
  }

  function verifyNow(token: VerifiedToken, options: VerifyOptions | undefined): Promise<VerifiedToken> {
    return askRevocation(token, policyOf(options)).then(() => token);
  }

  async function verifyAfter(
    learning: Promise<void>,
    token: string,
    options: VerifyOptions | undefined,
  ): Promise<VerifiedToken> {
    await learning;
    return verifyNow(checked(token), options);
  }

  function policyOf(options: VerifyOptions | undefined): StoreDownPolicy {
    const policy = options?.onStoreDown ?? onStoreDown;
    if (policy === 'closed' || policy === 'open') return policy;
    throw wrongOption('verify', 'onStoreDown', '"closed" or "open"', policy);
  }

  async function revokeFamily(subject: string, family: string, ttlMs = goneMs): Promise<void> {
    await kept(store, onStoreDown, store.revoke(subject, family, ttlMs));
    tell({ type: 'signed_out', subject, family });
  }

  async function revokeToken({ subject, id, family, expiresAtMs }: Revocable): Promise<void> {
    const leftMs = Math.ceil(expiresAtMs - now() + clockToleranceMs);
    // Another issuer's may be valid for longer than ours are.
    if (family !== undefined) return revokeFamily(subject, family, Math.max(goneMs, leftMs + SLACK_MS));
    if (id === undefined) throw new TypeError('revoke: "token" must have a jti or a sid to be revoked');
    if (leftMs <= 0) return;
    await kept(store, onStoreDown, store.revoke(subject, id, leftMs + SLACK_MS));
    tell({ type: 'signed_out', subject, tokenId: id });
  }

  return {
    async issue(subject, claims = {}, options = {}) {
      requireText('issue', 'subject', subject);
      const grant = grantOf(claims, options, settings);
      const key = requireSigningKey('issue', settings);
      const chain = randomUUID();
      const { family = chain } = options;
      const own = await ownClaims('issue', settings, subject, claims, family);
      const draft = draftOf(grant, own, now());
      const ttlMs = grant.refreshTtlMs + clockToleranceMs + SLACK_MS;
      const issuedAtMs = await kept(store, onStoreDown, store.open(subject, chain, draft.refreshId, ttlMs));
      publishToken('issued', 'access');
      return signPair(settings, key, { subject, family, chain, issuedAtMs }, draft);
    },

    refresh: refreshing({ settings, checker, tell, goneMs, slackMs: SLACK_MS }),

    async revoke(token) {
      const revocable = token instanceof AccessToken ? token : revocableOf(checkedEither(token));
      await revokeToken(revocable);
      publishToken('revoked', 'access');
    },

    async revokeFamily(subject, family) {
      requireText('revokeFamily', 'subject', subject);
      requireText('revokeFamily', 'family', family);
      await revokeFamily(subject, family);
      publishToken('revoked', 'access');
    },

    async revokeAll(subject, { keepSignIns = false } = {}) {
      requireText('revokeAll', 'subject', subject);
      const untilMs = await kept(store, onStoreDown, store.revokeSubject(subject, keepSignIns, goneMs));
      tell({ type: keepSignIns ? 'roles_changed' : 'signed_out', subject, untilMs });
      publishToken('revoked', 'access');
    },

    check(token) {
      try {
        return checker.check(token);
      } catch (error) {
        // Of keys that are still to be fetched `verify` has the last word.
        throw isUnknownKey(error) ? error : refusal(error, 'access');
      }
    },

    verify(token, options) {
      try {
        return verifyNow(checker.check(token), options);
      } catch (error) {
        const learning = isUnknownKey(error) ? keys.learn() : undefined;
        return learning === undefined
          ? Promise.reject(refusal(error, 'access'))
          : verifyAfter(learning, token, options);
      }
    },

    revocation: (token, options) => askRevocation(token, policyOf(options)),

    jwks: () => keys.jwks(),
    jwksRoute: () => jwksRoute(() => keys.jwks()),
    close: () => unsubscribe?.(),
  };
}

/** What is asked of a token that is to be revoked. */
type Revocable = Pick<VerifiedToken, 'subject' | 'id' | 'family' | 'expiresAtMs'>;

function isUnknownKey(error: unknown): boolean {
  return error instanceof TokenError && error.problem === 'unknown_key';
}

function revocableOf({ sub, sid, jti, exp }: CheckedClaims): Revocable {
  return {
    subject: sub,
    id: jti as string | undefined,
    family: sid as string | undefined,
    expiresAtMs: exp * 1_000,
  };
}

function ignore(): void {
  // It is kept in the store: who did not hear of it finds it there at the next request.
}
