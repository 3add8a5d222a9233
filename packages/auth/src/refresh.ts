import type { Checker } from './checker.js';
import { TokenError, type TokenErrorCode, type TokenProblem } from './errors.js';
import {
  draftOf,
  ownClaims,
  refreshTokenOf,
  requireSigningKey,
  signPair,
  type Draft,
  type RefreshToken,
} from './mint.js';
import { kept } from './revocation.js';
import type { RevocationEvent } from './revocation-event.js';
import { publishReused, publishToken, refusal } from './token-events.js';
import type { CheckedClaims } from './token-claims.js';
import type { TokenSettings } from './token-options.js';
import type { Rotated } from './token-store.js';
import type { TokenPair } from './tokens-interface.js';

interface Refreshing {
  settings: TokenSettings;
  checker: Checker;
  tell: (event: RevocationEvent) => void;
  /** How long tokens of any kind may still be valid. */
  goneMs: number;
  /** How much longer than its tokens a chain is kept. */
  slackMs: number;
}

/**
 * Makes the function that exchanges refresh tokens.
 *
 * Each use of a token follows one of three ways, and the store decides which, in one step: its first use makes a
 * successor; for a while after that it gets the same successor again, as when two tabs refresh at once or an answer was
 * lost; later somebody has a token that is not theirs, and nobody can tell who, so that the sign-in ends for both
 * (RFC 9700 section 4.14.2).
 */
export function refreshing({
  settings,
  checker,
  tell,
  goneMs,
  slackMs,
}: Refreshing): (token: string) => Promise<TokenPair> {
  const { store, onStoreDown, graceMs, now, clockToleranceMs } = settings;

  /** With what it may be good for at most now: of whatever is older it is not remembered whether it was revoked. */
  function bounded(claims: CheckedClaims): RefreshToken {
    const token = refreshTokenOf(claims);
    const { grant } = token;
    const accessTtlMs = Math.min(grant.accessTtlMs, settings.accessTtlMs);
    const refreshTtlMs = Math.min(grant.refreshTtlMs, settings.refreshTtlMs);
    const endsAtMs = claims.exp * 1_000 - grant.refreshTtlMs + refreshTtlMs;
    if (now() - clockToleranceMs >= endsAtMs) throw new TokenError('token_expired', 'expired');
    return { ...token, grant: { ...grant, accessTtlMs, refreshTtlMs } };
  }

  function read(token: string): RefreshToken {
    try {
      return bounded(checker.checkRefresh(token));
    } catch (error) {
      throw refusal(error, 'refresh');
    }
  }

  function rotate(token: RefreshToken, draft: Draft): Promise<Rotated> {
    const { subject, family, chain, id, issuedAtMs, grant } = token;
    return store.rotate({
      subject,
      family,
      chain,
      id,
      issuedAtMs,
      successorId: draft.refreshId,
      // What it says, not what it is: it cannot be used without a key.
      successor: JSON.stringify(draft),
      graceMs,
      ttlMs: grant.refreshTtlMs + clockToleranceMs + slackMs,
      goneMs,
    });
  }

  function refuse(code: TokenErrorCode, problem: TokenProblem): TokenError {
    publishToken('refused', 'refresh', code);
    return new TokenError(code, problem);
  }

  return async function refresh(text) {
    const token = read(text);
    const { subject, family, chain, grant, authTime } = token;
    const key = requireSigningKey('refresh', settings);
    // Asked first: when it refuses or fails, the token was not used.
    const claims = await ownClaims('refresh', settings, subject, grant.claims, family);
    const draft = draftOf(grant, claims, now(), authTime);
    // Nor where it may say more than a token holds, each letter of which may take four.
    if (JSON.stringify(claims).length > settings.maxLength / 8) signPair(settings, key, token, draft);
    const rotated = await kept(store, onStoreDown, rotate(token, draft));

    switch (rotated.outcome) {
      case 'rotated':
      case 'repeated':
      case 'renewed': {
        const { outcome, issuedAtMs, successor } = rotated;
        const first = JSON.parse(successor) as Draft;
        publishToken('refreshed', 'refresh');
        return signPair(
          settings,
          key,
          { subject, family, chain, issuedAtMs },
          // What it was to say then, such as a role, was taken back.
          outcome === 'renewed' ? { ...first, claims } : first,
        );
      }
      case 'reused':
        publishReused(subject, family);
        tell({ type: 'signed_out', subject, family });
        throw refuse('token_reused', 'reused');
      case 'revoked':
        throw refuse('token_revoked', 'revoked');
    }
  };
}
