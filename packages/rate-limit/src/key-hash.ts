import { createHash, createHmac, hkdfSync } from 'node:crypto';
import type { Secret } from '@signalbox/options';
import { LRUCache } from 'lru-cache';

/** How many names are remembered with their hashes, and up to which length. */
const MAX_REMEMBERED = 20_000;
const MAX_REMEMBERED_LENGTH = 200;

/**
 * What stands in for a caller's name in keys: 128 bits of a hash, whatever the name is made of. With a secret nobody
 * can find out from the keys whom they are about; without one, addresses can be found by trying.
 */
export function keyHasher(secret: Secret | undefined): (name: string) => string {
  // A secret serves one purpose: each package derives a key of its own.
  const key =
    secret === undefined
      ? undefined
      : Buffer.from(hkdfSync('sha256', secret, '', 'signalbox:rate-limit', 32));
  const remembered = new LRUCache<string, string>({ max: MAX_REMEMBERED });

  return function hashOf(name) {
    const known = remembered.get(name);
    if (known !== undefined) return known;

    const hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
    const text = hash.update(name).digest().toString('base64url', 0, 16);
    if (name.length <= MAX_REMEMBERED_LENGTH) remembered.set(name, text);
    return text;
  };
}
