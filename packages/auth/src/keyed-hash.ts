import { createHmac, hash as digestOf, hkdfSync, timingSafeEqual } from 'node:crypto';
import { requireSecrets, type Secret, type Secrets } from '@signalbox/options';

/** Hashes of what is secret and random, as they may lie in a database. */
export interface KeyedHash {
  /** By the newest secret, 43 characters of base64url. */
  of(text: string): string;
  /**
   * How many secrets are newer than the one by which it is the hash of the text: 0 by the newest, `undefined` where by
   * none. In constant time.
   */
  ageOf(text: string, hash: string): number | undefined;
}

/**
 * HMAC-SHA-256 by a key for one purpose from each secret (RFC 5869), so that no secret serves two; SHA-256 where there
 * is no secret.
 *
 * @throws {TypeError} when a secret is too short
 */
export function keyedHash(owner: string, secrets: Secrets | undefined, purpose: string): KeyedHash {
  if (secrets === undefined) return hashBy([plainly]);
  return hashBy(requireSecrets(owner, 'secrets', secrets).map((secret) => keyedBy(secret, purpose)));
}

/** The same by one secret, however long: that of an account. */
export function hashKeyedBy(secret: Uint8Array, purpose: string): KeyedHash {
  return hashBy([keyedBy(secret, purpose)]);
}

type Hasher = (text: string) => Buffer;

function hashBy(hashers: readonly Hasher[]): KeyedHash {
  const [newest = plainly] = hashers;

  return {
    of: (text) => newest(text).toString('base64url'),

    ageOf(text, hash) {
      const kept = Buffer.from(hash, 'base64url');
      let found: number | undefined;
      for (let age = 0; age < hashers.length; age += 1) {
        const digest = hashers[age]?.(text);
        // A secret that is listed twice is as new as its first place.
        if (digest?.length === kept.length && timingSafeEqual(kept, digest)) found ??= age;
      }
      return found;
    },
  };
}

function plainly(text: string): Buffer {
  return digestOf('sha256', text, 'buffer');
}

function keyedBy(secret: Secret, purpose: string): Hasher {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `signalbox:auth:${purpose}`, 32));
  return (text) => createHmac('sha256', key).update(text).digest();
}
