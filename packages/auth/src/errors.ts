import { ServiceUnavailableError, UnauthorizedError } from '@signalbox/errors';

/** The stable `code` of a token that is refused. */
export type TokenErrorCode =
  /** Not a token of ours: malformed, forged, of another type, issuer or audience. */
  | 'invalid_token'
  | 'token_expired'
  /** Its `nbf` is yet to come. */
  | 'token_not_active'
  /** Signed out, or issued before everything of the subject was revoked. */
  | 'token_revoked'
  /** A refresh token that was used before: what followed from it is revoked. */
  | 'token_reused';

/** What is wrong with a token, for whoever runs the app. The caller is not told. */
export type TokenProblem =
  | 'missing'
  | 'too_long'
  | 'malformed'
  | 'header'
  /**
   * No key of this `kid` and `alg` is here, or not yet: `verify` waits for those of another issuer, `check` does not.
   */
  | 'unknown_key'
  | 'signature'
  /** An access token where a refresh token is wanted, or the reverse. */
  | 'type'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_active'
  | 'revoked'
  | 'reused';

const SENTENCES: Readonly<Record<TokenErrorCode, string>> = {
  invalid_token: 'The token is not valid',
  token_expired: 'The token has expired',
  token_not_active: 'The token is not valid yet',
  token_revoked: 'The token has been revoked',
  token_reused: 'The refresh token was used before; sign in again',
};

/** RFC 6750 section 3.1 has one error code for all of these. Made once: tokens are refused at the rate of a scan. */
const CHALLENGES: Readonly<Record<TokenErrorCode, Readonly<{ 'WWW-Authenticate': string }>>> = {
  invalid_token: challenge('invalid_token'),
  token_expired: challenge('token_expired'),
  token_not_active: challenge('token_not_active'),
  token_revoked: challenge('token_revoked'),
  token_reused: challenge('token_reused'),
};

function challenge(code: TokenErrorCode): Readonly<{ 'WWW-Authenticate': string }> {
  return Object.freeze({
    'WWW-Authenticate': `Bearer error="invalid_token", error_description="${SENTENCES[code]}"`,
  });
}

/** A token that does not let its bearer in: 401, with the challenge of RFC 6750 section 3. */
export class TokenError extends UnauthorizedError {
  declare readonly code: TokenErrorCode;
  /** What exactly is wrong. Neither in the answer nor in the message. */
  readonly problem: TokenProblem;

  constructor(code: TokenErrorCode, problem: TokenProblem, options?: ErrorOptions) {
    super(SENTENCES[code], { ...options, code, headers: CHALLENGES[code] });
    this.problem = problem;
  }
}

/** Whether a token is revoked cannot be known now, or a revocation cannot be kept: 503 `token_store_unavailable`. */
export class TokenStoreUnavailableError extends ServiceUnavailableError {
  constructor(cause: unknown) {
    super('Whether the token is still valid cannot be known at the moment.', {
      code: 'token_store_unavailable',
      retryAfterSeconds: 1,
      expose: true,
      cause,
    });
  }
}

/** The keys of another issuer cannot be had now: 503 `token_keys_unavailable`. */
export class TokenKeysUnavailableError extends ServiceUnavailableError {
  constructor(cause: unknown) {
    super('The keys that the token is checked with cannot be had at the moment.', {
      code: 'token_keys_unavailable',
      retryAfterSeconds: 1,
      expose: true,
      cause,
    });
  }
}
