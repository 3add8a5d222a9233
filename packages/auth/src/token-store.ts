import type { VerifiedToken } from './principal.js';

/** One refresh: the token that was brought, and what is to follow it. */
export interface Rotation {
  readonly subject: string;
  /** The tokens that follow each other; each use of a token but the last is a repetition. */
  readonly chain: string;
  /** The sign-in that the chain belongs to. */
  readonly family: string;
  /** `jti` of the refresh token that was brought. */
  readonly id: string;
  readonly issuedAtMs: number;
  /** `jti` of the refresh token that is to follow. */
  readonly successorId: string;
  /** What it takes to sign the successor again. */
  readonly successor: string;
  /** How long the same successor is given for the same token. */
  readonly graceMs: number;
  /** How long the chain is kept: as long as its tokens are valid. */
  readonly ttlMs: number;
  /** How long the family is refused, where it ends here: as long as any token of it may be valid. */
  readonly goneMs: number;
}

/** How a {@link Rotation} ended. */
export type Rotated =
  /**
   * The successor is ours (`rotated`), or of whoever brought the token first (`repeated`); or that is to be issued anew,
   * since its access token is revoked by now (`renewed`).
   */
  | {
      readonly outcome: 'rotated' | 'repeated' | 'renewed';
      readonly issuedAtMs: number;
      readonly successor: string;
    }
  /** It was used before, and the grace is over: the family is revoked as of now. */
  | { readonly outcome: 'reused' }
  /** The family ended before, or the store does not know the chain. */
  | { readonly outcome: 'revoked' };

/**
 * Where it is kept which tokens follow each other, and which are revoked.
 *
 * Each of these is one atomic step. Issue times are the store's own, and each is later than whatever was revoked of the
 * subject before, so that neither clocks that differ nor a sign-in in the same millisecond confuse the two.
 */
export interface TokenStore {
  /** Begins a chain with its first refresh token, and says when that was. */
  open(subject: string, chain: string, id: string, ttlMs: number): Promise<number>;
  rotate(rotation: Rotation): Promise<Rotated>;
  /** Revokes, for `ttlMs`, a family with all its chains and access tokens, or a token that belongs to none. */
  revoke(subject: string, familyOrId: string, ttlMs: number): Promise<void>;
  /**
   * Revokes whatever of the subject was issued until now, for `ttlMs`, and says when that is.
   *
   * @param keepsSignIns whether refresh tokens stay, so that access tokens alone are
   */
  revokeSubject(subject: string, keepsSignIns: boolean, ttlMs: number): Promise<number>;
  /** Starts to ask before it returns. An answer that is known at once is no promise. */
  isRevoked(token: VerifiedToken): boolean | Promise<boolean>;
  /** Rejects while {@link isRevoked} would: a store that cannot fail has none. */
  probe?(): Promise<void>;
}
