import { hkdfSync } from 'node:crypto';
import { wrongOption } from '@signalbox/options';

/** A secret, or a list of them, newest first. Each of at least 32 bytes. */
export type Secrets = string | Uint8Array | readonly (string | Uint8Array)[];

const MIN_BYTES = 32;

/**
 * A key for one purpose from each secret (RFC 5869), so that no secret serves two.
 *
 * @throws {TypeError} when there is none, or one is too short
 */
export function derivedKeys(caller: string, secrets: unknown, purpose: string): [Buffer, ...Buffer[]] {
  const list: readonly unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  const [newest, ...older] = list.map((secret) => {
    const bytes = typeof secret === 'string' || secret instanceof Uint8Array ? Buffer.from(secret).length : 0;
    if (bytes < MIN_BYTES) {
      // Not shown: it is a secret all the same.
      throw wrongOption(caller, 'secrets', `of at least ${MIN_BYTES} bytes each`, bytes);
    }
    return Buffer.from(
      hkdfSync('sha256', secret as string | Uint8Array, '', `signalbox:security:${purpose}`, 32),
    );
  });
  if (newest === undefined) throw wrongOption(caller, 'secrets', 'one secret at least', secrets);
  return [newest, ...older];
}
