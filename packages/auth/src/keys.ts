import type { KeyObject } from 'node:crypto';
import type { Algorithm } from './algorithms.js';
import type { JwkSet } from './jwk.js';

/** A key that verifies, with the one algorithm that is accepted for it. */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: Algorithm;
  /** Public, or the secret of HS256 and its kin. */
  readonly verifier: KeyObject;
}

/** A key that signs, too. */
export interface SigningKey extends VerificationKey {
  /** Private, or the secret. */
  readonly signer: KeyObject;
}

/** Where keys come from: `keyRing()`, or `remoteJwks()` for those of another issuer. */
export interface KeySource {
  /** Another number whenever a key that was there is not any more. Read with each token. */
  readonly version: number;
  /**
   * The key of that name, at once; `undefined` where none is here, or it has another algorithm.
   *
   * @param kid `undefined` in tokens that do not name their key
   */
  find(kid: string | undefined, alg: string): VerificationKey | undefined;
  /** The key to sign with; `undefined` where there is none. */
  signingKey(): SigningKey | undefined;
  /**
   * Fetches keys because of one that is not here. `undefined` where there is nothing to fetch.
   *
   * @throws {TokenKeysUnavailableError} when they cannot be had
   */
  learn(): Promise<void> | undefined;
  jwks(): JwkSet;
}
