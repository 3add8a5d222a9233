import type { RequestHandler } from 'express';
import type { JwkSet } from './jwk.js';
import type { Claims, VerifiedToken } from './principal.js';

/** What is done when the store does not say whether a token is revoked: refuse with 503, or let pass. */
export type StoreDownPolicy = 'closed' | 'open';

/** What a client gets when somebody signs in (RFC 6749 section 5.1, in the manner of JavaScript). */
export interface TokenPair {
  accessToken: string;
  refreshToken: string;
  /** How long the access token is valid, in seconds. */
  expiresIn: number;
  tokenType: 'Bearer';
}

export interface IssueOptions {
  /** How long the access tokens of this sign-in are valid, in milliseconds: at most the option `accessTtlMs`. */
  accessTtlMs?: number | undefined;
  /** How long its refresh tokens are, in milliseconds: at most the option `refreshTtlMs`. */
  refreshTtlMs?: number | undefined;
  /**
   * Names the sign-in: what the tokens say as `sid`, and `revokeFamily` takes. Such as the public name of the session that
   * begins with it, so that both end together.
   * @default a random name
   */
  family?: string | undefined;
}

export interface RevokeAllOptions {
  /**
   * Whether refresh tokens stay valid.
   * @default false
   */
  keepSignIns?: boolean | undefined;
}

export interface VerifyOptions {
  /** Instead of the option `onStoreDown`. */
  onStoreDown?: StoreDownPolicy | undefined;
}

/** Tokens of one issuer. Whatever is wrong with a token is a `TokenError`, status 401. */
export interface Tokens {
  /**
   * Issues the tokens of a new sign-in.
   *
   * @param claims what the access token says besides, such as `{ roles: ['admin'], scope: 'search history' }`
   * @throws {TypeError} when a claim is one that the token has of itself, such as `exp`
   * @throws {TokenStoreUnavailableError} when the store does not answer
   */
  issue(subject: string, claims?: Claims, options?: IssueOptions): Promise<TokenPair>;
  /**
   * Exchanges a refresh token for a new pair. The same one again gets the same pair for a while, as when two tabs
   * refresh at once; after that it ends the whole sign-in, since one of the two was stolen.
   */
  refresh(refreshToken: string): Promise<TokenPair>;
  /** Ends the sign-in that a token of either kind belongs to (RFC 7009 section 2.1), also where it has expired. */
  revoke(token: string | VerifiedToken): Promise<void>;
  /** Ends one sign-in of the subject by its name, also where nothing was ever issued under that. */
  revokeFamily(subject: string, family: string): Promise<void>;
  /**
   * Ends everything of the subject that was issued until now. What is issued right after is valid. With `keepSignIns`
   * access tokens alone: clients refresh them, and get what the subject may do now, as after a change of roles.
   */
  revokeAll(subject: string, options?: RevokeAllOptions): Promise<void>;
  /** {@link check} and {@link revocation}; the store is asked before it returns, unless keys must be fetched first. */
  verify(token: string, options?: VerifyOptions): Promise<VerifiedToken>;
  /**
   * Signature and claims of an access token, without asking anybody. Keys of another issuer that are not here yet are a
   * `TokenError` whose `problem` is `unknown_key`: {@link verify} waits for them.
   */
  check(token: string): VerifiedToken;
  /** Rejects when the token is revoked. The store is asked before it returns, so that it can share a round trip. */
  revocation(token: VerifiedToken, options?: VerifyOptions): Promise<void>;
  /** The public keys that others verify with (RFC 7517). */
  jwks(): JwkSet;
  /** Answers with {@link jwks}: `app.get('/.well-known/jwks.json', tokens.jwksRoute())`. */
  jwksRoute(): RequestHandler;
  /** Stops to listen to the bus. Keys, store and bus are the app's own to close. */
  close(): void;
}
