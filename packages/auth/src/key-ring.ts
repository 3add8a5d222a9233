import type { KeyObject } from 'node:crypto';
import { wrongOption } from '@signalbox/options';
import { publicJwk, type JwkSet } from './jwk.js';
import { readKey, type KeyEntry, type ReadKey } from './key-entry.js';
import type { KeySource, SigningKey, VerificationKey } from './keys.js';

/** The keys of an issuer: one signs, all verify. */
export interface KeyRing extends KeySource {
  /**
   * Takes these keys from now on. Tokens of keys that are not among them are refused.
   *
   * @throws {TypeError} when one is wrong; then all stays as it is
   */
  replace(keys: readonly KeyEntry[]): void;
}

interface Ring {
  readonly byKid: ReadonlyMap<string, ReadKey>;
  readonly signingKey: SigningKey | undefined;
  readonly jwks: JwkSet;
}

/**
 * Puts keys on a ring. To rotate without signing anybody out: add the new key as `next` everywhere, then make it
 * `active` and the old one `retired`, and take that away when the last token it signed has expired.
 *
 * @throws {TypeError} when a key is wrong, two have one name, or two are active
 *
 * @example
 * const keys = keyRing([...pemKeys(process.env.JWT_PRIVATE_KEY), ...secretKeys(process.env.OLD_SECRET)]);
 */
export function keyRing(keys: readonly KeyEntry[]): KeyRing {
  let ring = read(keys);
  let version = 0;

  return {
    get version() {
      return version;
    },
    find(kid, alg) {
      // A Map, so that `__proto__` and its like are the names of nothing.
      const key = kid === undefined ? onlyOf(ring, alg) : ring.byKid.get(kid);
      return key?.alg === alg ? key : undefined;
    },
    signingKey: () => ring.signingKey,
    learn: () => undefined,
    jwks: () => ring.jwks,
    replace(newKeys) {
      ring = read(newKeys);
      version += 1;
    },
  };
}

/** RFC 7515 section 4.1.4: to name the key is optional. Without a name it has to be clear which one is meant. */
function onlyOf({ byKid }: Ring, alg: string): VerificationKey | undefined {
  const fitting = [...byKid.values()].filter((key) => key.alg === alg);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function read(keys: readonly KeyEntry[]): Ring {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw wrongOption('keyRing', 'keys', 'a list of at least one key', keys);
  }
  const list = keys.map((entry: KeyEntry, index) => readKey('keyRing', `keys[${index}]`, entry));
  const byKid = new Map(list.map((key) => [key.kid, key]));
  if (byKid.size < list.length) throw new TypeError('keyRing: "keys" must have a kid of its own each');

  const active = list.filter(({ state }) => state === 'active');
  if (active.length > 1) throw new TypeError('keyRing: "keys" must have one active key, got more');
  const signing = active[0] ?? list.find(({ state, signer }) => state === undefined && signer !== undefined);
  const published = list.filter(({ verifier }) => verifier.type === 'public');
  return {
    byKid,
    signingKey: signing?.signer === undefined ? undefined : withSigner(signing, signing.signer),
    jwks: Object.freeze({ keys: Object.freeze(published.map(publicJwk)) }),
  };
}

function withSigner({ kid, alg, verifier }: ReadKey, signer: KeyObject): SigningKey {
  return { kid, alg, verifier, signer };
}
