import { hkdfSync } from 'node:crypto';
import { requireSecrets, type Secret } from '@signalbox/options';

/**
 * A key for one purpose from each secret (RFC 5869), so that no secret serves two.
 *
 * @throws {TypeError} when there is none, or one is too short
 */
export function derivedKeys(caller: string, secrets: unknown, purpose: string): [Buffer, ...Buffer[]] {
  const derive = (secret: Secret): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `signalbox:security:${purpose}`, 32));
  const [newest, ...older] = requireSecrets(caller, 'secrets', secrets);
  return [derive(newest), ...older.map(derive)];
}
