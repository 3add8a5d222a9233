import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { requireSecrets, type Secret } from '@signalbox/options';

/** What is made of one secret, a key for each purpose, so that none serves two. */
export interface DerivedKeys {
  /** Signs cookies. */
  readonly sign: KeyObject;
  /** Hashes the ids of sessions. */
  readonly id: KeyObject;
  /** Hashes the names of users. */
  readonly user: KeyObject;
  /** Four letters that tell the secrets of a list apart, without a word about them. */
  readonly mark: string;
}

/**
 * Keys from each secret (RFC 5869).
 *
 * @throws {TypeError} when there is none, or one is too short
 */
export function derivedKeys(owner: string, secrets: unknown): [DerivedKeys, ...DerivedKeys[]] {
  const [newest, ...older] = requireSecrets(owner, 'secrets', secrets);
  return [keysOf(newest), ...older.map(keysOf)];
}

function keysOf(secret: Secret): DerivedKeys {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `signalbox:sessions:${purpose}`, 32));
  return {
    sign: createSecretKey(derive('cookie')),
    id: createSecretKey(derive('id')),
    user: createSecretKey(derive('user')),
    mark: derive('mark').toString('base64url').slice(0, 4),
  };
}
