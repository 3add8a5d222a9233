import type { KeyObject } from 'node:crypto';

/** How a token may be signed (RFC 7518 section 3.1, RFC 8037 section 3.1). `none` is not among them. */
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

export const ALGORITHMS: readonly Algorithm[] = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** RFC 7518 section 3.3: 2048 bits or larger. */
const MIN_RSA_BITS = 2_048;

/** As OpenSSL names the curves of RFC 7518 section 3.4. */
const CURVES: ReadonlyMap<string, Algorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/** The algorithm of a key that does not say; of an RSA key the one that everybody understands. */
export function algorithmOf(key: KeyObject, rsa: Algorithm = 'RS256'): Algorithm | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return rsa;
  if (type === 'ec') return CURVES.get(details?.namedCurve ?? '');
  return type === 'ed25519' || type === 'ed448' ? 'EdDSA' : undefined;
}

/** Why the algorithm cannot be used with the key, in words after "must be"; `undefined` when it can. */
export function misfit(alg: Algorithm, key: KeyObject): string | undefined {
  if (alg.startsWith('HS')) {
    // RFC 7518 section 3.2: a key of the same size as the hash output or larger.
    const bytes = Number(alg.slice(2)) / 8;
    const fits = key.type === 'secret' && (key.symmetricKeySize ?? 0) >= bytes;
    return fits ? undefined : `a secret of at least ${bytes} bytes for ${alg}`;
  }
  if (alg.startsWith('RS') || alg.startsWith('PS')) {
    const isRsa = key.asymmetricKeyType === 'rsa';
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return isRsa && bits >= MIN_RSA_BITS
      ? undefined
      : `an RSA key of at least ${MIN_RSA_BITS} bits for ${alg}`;
  }
  if (algorithmOf(key) === alg) return undefined;
  return alg === 'EdDSA' ? 'an Ed25519 or Ed448 key for EdDSA' : `a key on the curve of ${alg}`;
}
