import { outageOf } from '@signalbox/redis';
import { TokenError, TokenStoreUnavailableError } from './errors.js';
import type { KnownRevoked } from './known-revoked.js';
import type { VerifiedToken } from './principal.js';
import { publishToken, publishVerified } from './token-events.js';
import type { TokenStore } from './token-store.js';
import type { StoreDownPolicy } from './tokens-interface.js';

/** As `signals.featureState` calls it. */
const FEATURE = 'tokens';

/** Rejects when a token is revoked; asks before it returns. */
export type AskRevocation = (token: VerifiedToken, policy: StoreDownPolicy) => Promise<void>;

/** @param known what is refused without asking */
export function revocationOf(store: TokenStore, known: KnownRevoked): AskRevocation {
  const outage = outageOf(store, FEATURE);

  function settle(isRevoked: boolean): void {
    if (isRevoked) throw revoked();
    publishVerified();
  }

  function failed(error: unknown, policy: StoreDownPolicy): void {
    outage.failed(error, policy);
    if (policy === 'closed') throw new TokenStoreUnavailableError(error);
    publishVerified();
  }

  /** A store of the app's own may throw as well as reject. */
  function ask(token: VerifiedToken): boolean | Promise<boolean> {
    try {
      return store.isRevoked(token);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return function askRevocation(token, policy) {
    const answer = known.has(token) || ask(token);
    if (typeof answer !== 'boolean') return answer.then(settle, (error: unknown) => failed(error, policy));
    if (answer) return Promise.reject(revoked());
    publishVerified();
    return SETTLED;
  };
}

const SETTLED = Promise.resolve();

function revoked(): TokenError {
  publishToken('refused', 'access', 'token_revoked');
  return new TokenError('token_revoked', 'revoked');
}

/** What changes the store cannot do without it: 503 where it does not answer. */
export async function kept<Answer>(
  store: TokenStore,
  policy: StoreDownPolicy,
  work: Promise<Answer>,
): Promise<Answer> {
  try {
    return await work;
  } catch (error) {
    outageOf(store, FEATURE).failed(error, policy);
    throw new TokenStoreUnavailableError(error);
  }
}
