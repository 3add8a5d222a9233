import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { wrongOption, wrongSecret } from '@signalbox/options';

/** A secret, or a list of them, newest first. Each of at least 32 bytes. */
export type Secrets = string | Uint8Array | readonly (string | Uint8Array)[];

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

const MIN_BYTES = 32;

/**
 * Keys from each secret (RFC 5869).
 *
 * @throws {TypeError} when there is none, or one is too short
 */
export function derivedKeys(owner: string, secrets: unknown): [DerivedKeys, ...DerivedKeys[]] {
  const list: readonly unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  const [newest, ...older] = list.map((secret) => {
    const isBytes = typeof secret === 'string' || secret instanceof Uint8Array;
    if (!isBytes || Buffer.from(secret).length < MIN_BYTES) {
      throw wrongSecret(owner, 'secrets', `of at least ${MIN_BYTES} bytes each`, secret);
    }
    return keysOf(secret);
  });
  if (newest === undefined) throw wrongOption(owner, 'secrets', 'one secret at least', secrets);
  return [newest, ...older];
}

function keysOf(secret: string | Uint8Array): DerivedKeys {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `signalbox:sessions:${purpose}`, 32));
  return {
    sign: createSecretKey(derive('cookie')),
    id: createSecretKey(derive('id')),
    user: createSecretKey(derive('user')),
    mark: derive('mark').toString('base64url').slice(0, 4),
  };
}
