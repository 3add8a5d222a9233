/** What a credential says of its bearer. Of a token, all of its claims. */
export type Claims = Readonly<Record<string, unknown>>;

/** By which kind of credential somebody came in. */
export type AuthMethod = 'token' | 'api_key' | 'session';

/** Who asks, whatever they came by: `req.auth`. Shared by requests of the same token, so that it cannot be written to. */
export interface Principal {
  /** Who it is, such as the id of a user. */
  readonly subject: string;
  readonly method: AuthMethod;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly claims: Claims;
  /** When they proved who they are, in milliseconds since 1970, where known. Refreshing a token does not renew it. */
  readonly authenticatedAtMs: number | undefined;
}

/** An access token whose signature and claims are right. It may have been revoked nevertheless. */
export interface VerifiedToken extends Principal {
  readonly method: 'token';
  /** `jti` (RFC 7519 section 4.1.7). */
  readonly id: string | undefined;
  /** The sign-in that it comes from, with all tokens that are refreshed from it: `sid`. */
  readonly family: string | undefined;
  /** In milliseconds since 1970. */
  readonly issuedAtMs: number;
  /** In milliseconds since 1970. */
  readonly expiresAtMs: number;
}
