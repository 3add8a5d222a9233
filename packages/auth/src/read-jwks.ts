import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { ALGORITHMS, algorithmOf, misfit, type Algorithm } from './algorithms.js';
import type { VerificationKey } from './keys.js';

/** More keys than any issuer has. */
const MAX_KEYS = 100;

/**
 * The keys of a set that tokens can be verified with, by name. What is not for that is passed over (RFC 7517 section 5):
 * keys for encryption, secrets, what is not understood.
 *
 * @throws an error when it is no set of keys at all
 */
export function readJwks(document: unknown, rsa: Algorithm): ReadonlyMap<string, VerificationKey> {
  const keys: unknown =
    typeof document === 'object' && document !== null ? Reflect.get(document, 'keys') : undefined;
  if (!Array.isArray(keys)) throw new Error('the answer is not a JSON Web Key Set');
  const usable = new Map<string, VerificationKey>();
  for (const jwk of keys.slice(0, MAX_KEYS) as unknown[]) {
    const key = readJwk(jwk, rsa);
    // RFC 7517 section 4.5: two of one name would be of different types; the first is taken.
    if (key !== undefined && !usable.has(key.kid)) usable.set(key.kid, key);
  }
  return usable;
}

function readJwk(jwk: unknown, rsa: Algorithm): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, kid, alg, use, key_ops } = jwk as Record<string, unknown>;
  if (typeof kid !== 'string' || (use !== undefined && use !== 'sig')) return undefined;
  if (Array.isArray(key_ops) && !key_ops.includes('verify')) return undefined;
  // A public document with a secret in it: everybody could sign with that.
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return undefined;
  const verifier = publicKeyOf(jwk as JsonWebKey);
  if (verifier === undefined) return undefined;
  const known = alg === undefined ? algorithmOf(verifier, rsa) : ALGORITHMS.find((each) => each === alg);
  if (known === undefined || misfit(known, verifier) !== undefined) return undefined;
  return { kid, alg: known, verifier };
}

function publicKeyOf(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}
