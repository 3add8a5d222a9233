import { createHmac, hash as digestOf, hkdfSync, timingSafeEqual } from 'node:crypto';
import { requireSecrets, type Secrets } from '@signalbox/options';

/** Hashes of what is secret and random, as they may lie in a database. */
export interface KeyedHash {
  /** By the newest secret, 43 characters of base64url. */
  of(text: string): string;
  /** Whether it is the hash of the text, by any of the secrets. In constant time. */
  matches(text: string, hash: string): boolean;
}

/**
 * HMAC-SHA-256 by a key for one purpose from each secret (RFC 5869), so that no secret serves two; SHA-256 where there
 * is no secret.
 *
 * @throws {TypeError} when a secret is too short
 */
export function keyedHash(owner: string, secrets: Secrets | undefined, purpose: string): KeyedHash {
  const hashers = secrets === undefined ? [plainly] : keysOf(owner, secrets, purpose).map(keyedBy);
  const [newest = plainly] = hashers;

  return {
    of: (text) => newest(text).toString('base64url'),

    matches(text, hash) {
      const kept = Buffer.from(hash, 'base64url');
      let isSame = false;
      for (const hasher of hashers) {
        const digest = hasher(text);
        if (kept.length === digest.length && timingSafeEqual(kept, digest)) isSame = true;
      }
      return isSame;
    },
  };
}

function plainly(text: string): Buffer {
  return digestOf('sha256', text, 'buffer');
}

function keyedBy(key: Buffer): (text: string) => Buffer {
  return (text) => createHmac('sha256', key).update(text).digest();
}

function keysOf(owner: string, secrets: Secrets, purpose: string): Buffer[] {
  return requireSecrets(owner, 'secrets', secrets).map((secret) =>
    Buffer.from(hkdfSync('sha256', secret, '', `signalbox:auth:${purpose}`, 32)),
  );
}
