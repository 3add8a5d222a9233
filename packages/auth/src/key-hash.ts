import { hash, createHmac, hkdfSync } from 'node:crypto';
import type { Secret } from '@signalbox/options';

/**
 * What stands in keys for a subject or a token's id: 128 bits of a hash. With a secret nobody can find out from the keys
 * whom they are about; without one, names can be found by trying.
 */
export function keyHasher(secret: Secret | undefined): (name: string) => string {
  if (secret === undefined) {
    return (name) => hash('sha256', name, 'base64url').slice(0, 22);
  }
  // A secret serves one purpose: each package derives a key of its own.
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'signalbox:auth:store-keys', 32));
  return (name) => createHmac('sha256', key).update(name).digest('base64url').slice(0, 22);
}
