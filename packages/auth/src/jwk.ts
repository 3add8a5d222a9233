import { createHash, type JsonWebKey } from 'node:crypto';
import type { VerificationKey } from './keys.js';

/** A public key as others read it (RFC 7517 section 4). */
export interface PublicJwk {
  readonly kty: string;
  readonly kid: string;
  readonly alg: string;
  readonly use: 'sig';
  readonly [parameter: string]: unknown;
}

/** RFC 7517 section 5. */
export interface JwkSet {
  readonly keys: readonly PublicJwk[];
}

/** What makes a key the key it is, in the order of RFC 7638 section 3.2. */
const MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', ['e', 'kty', 'n']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
]);

/** A name for a key that everybody finds by themselves (RFC 7638): the hash of what it is made of. */
export function thumbprint(jwk: JsonWebKey): string {
  const members = MEMBERS.get(jwk.kty ?? '') ?? [];
  const essence = Object.fromEntries(members.map((member) => [member, jwk[member]]));
  return createHash('sha256').update(JSON.stringify(essence)).digest('base64url');
}

/** What others verify with: the public half alone, whatever the key is. */
export function publicJwk({ kid, alg, verifier }: VerificationKey): PublicJwk {
  const { kty = '', ...parameters } = verifier.export({ format: 'jwk' });
  return Object.freeze({ kty, ...parameters, kid, alg, use: 'sig' });
}
