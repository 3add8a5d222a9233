import { createPrivateKey, createPublicKey, createSecretKey, KeyObject } from 'node:crypto';
import {
  refuseUnknownOptions,
  requireObject,
  requireOneOf,
  wrongOption,
  wrongSecret,
} from '@signalbox/options';
import { ALGORITHMS, algorithmOf, misfit, type Algorithm } from './algorithms.js';
import { thumbprint } from './jwk.js';
import type { VerificationKey } from './keys.js';

/**
 * `next` verifies and is published before it signs, `active` signs, `retired` still verifies what it signed.
 */
export type KeyState = 'next' | 'active' | 'retired';

/** A key: exactly one of `secret`, `privateKey` and `publicKey`. */
export interface KeyEntry {
  /**
   * Its name in tokens.
   * @default the thumbprint of the public key (RFC 7638); a secret must be given one
   */
  kid?: string | undefined;
  /**
   * The only algorithm that is accepted for it.
   * @default 'RS256' for RSA, else the one that the key has; 'HS256' for a secret
   */
  alg?: Algorithm | undefined;
  /**
   * Where no key is `active`, the first that can sign is, and the others are `retired`.
   */
  state?: KeyState | undefined;
  /** For HS256, HS384 and HS512: at least as many bits. */
  secret?: string | Uint8Array | KeyObject | undefined;
  /** PEM, or a KeyObject. */
  privateKey?: string | Uint8Array | KeyObject | undefined;
  /** PEM (a certificate, too), or a KeyObject: such a key verifies only. */
  publicKey?: string | Uint8Array | KeyObject | undefined;
}

/** A {@link KeyEntry} that was understood. */
export interface ReadKey extends VerificationKey {
  readonly signer: KeyObject | undefined;
  readonly state: KeyState | undefined;
}

const KINDS = ['secret', 'privateKey', 'publicKey'] as const;
// It stands in every token, and others look it up in files and tables.
const KID = /^[\w.~:-]{1,128}$/;

/**
 * Reads a key.
 *
 * @param owner the function that was given it; `at` is where, such as `keys[0]`
 * @throws {TypeError} when the key cannot be read or does not fit its algorithm; of the key itself nothing is shown
 */
export function readKey(owner: string, at: string, entry: KeyEntry): ReadKey {
  requireObject(owner, at, entry);
  refuseUnknownOptions(`${owner}: "${at}"`, entry, ['kid', 'alg', 'state', ...KINDS]);
  const { state } = entry;
  if (state !== undefined) requireOneOf(owner, `${at}.state`, state, ['next', 'active', 'retired']);
  if (entry.alg !== undefined) requireOneOf(owner, `${at}.alg`, entry.alg, ALGORITHMS);

  const kinds = KINDS.filter((kind) => entry[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw new TypeError(`${owner}: "${at}" must have exactly one of ${KINDS.join(', ')}`);
  }
  const key = readMaterial(owner, `${at}.${kind}`, kind, entry[kind]);
  const verifier = key.type === 'private' ? createPublicKey(key) : key;
  const alg = entry.alg ?? (kind === 'secret' ? 'HS256' : algorithmOf(key));
  if (alg === undefined)
    throw wrongSecret(owner, `${at}.${kind}`, 'an RSA (not RSA-PSS), EC or Ed key', entry[kind]);
  const reason = misfit(alg, verifier);
  if (reason !== undefined) throw wrongSecret(owner, `${at}.${kind}`, reason, entry[kind]);
  if (state === 'active' && kind === 'publicKey') {
    throw new TypeError(`${owner}: "${at}" must have a private key to be active`);
  }
  const kid = readKid(owner, at, entry.kid, verifier);
  return { kid, alg, verifier, signer: kind === 'publicKey' ? undefined : key, state };
}

function readKid(owner: string, at: string, kid: unknown, verifier: KeyObject): string {
  if (kid === undefined && verifier.type === 'public') return thumbprint(verifier.export({ format: 'jwk' }));
  if (typeof kid === 'string' && KID.test(kid)) return kid;
  throw wrongOption(owner, `${at}.kid`, 'up to 128 letters, digits and "._~:-"', kid);
}

function readMaterial(
  owner: string,
  option: string,
  kind: (typeof KINDS)[number],
  given: unknown,
): KeyObject {
  const wanted = { secret: 'secret', privateKey: 'private', publicKey: 'public' }[kind];
  if (given instanceof KeyObject) {
    if (given.type === wanted) return given;
    throw new TypeError(`${owner}: "${option}" must be a ${wanted} key, got a ${given.type} one`);
  }
  if (typeof given !== 'string' && !(given instanceof Uint8Array)) {
    throw wrongSecret(owner, option, `a ${wanted} key: text, bytes or a KeyObject`, given);
  }
  const bytes = Buffer.from(given);
  if (kind === 'secret') return createSecretKey(bytes);
  // It would be taken for a public one, and the private half handed around.
  if (kind === 'publicKey' && bytes.includes('PRIVATE KEY')) {
    throw new TypeError(`${owner}: "${option}" must be a public key, got a private one`);
  }
  try {
    return kind === 'privateKey' ? createPrivateKey(bytes) : createPublicKey(bytes);
  } catch {
    // Not the cause: OpenSSL's words may quote what it read.
    throw wrongSecret(owner, option, `a ${wanted} key as PEM`, given);
  }
}
