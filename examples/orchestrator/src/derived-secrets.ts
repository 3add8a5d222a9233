import { hkdfSync } from 'node:crypto';
import type { Settings } from './settings.js';

/** Processes that share their secrets derive the same; no secret serves two purposes. */
export function derivedSecret(settings: Settings, purpose: string): Buffer {
  return derivedSecrets(settings, purpose)[0];
}

/** Of all secrets, newest first: what was made under an older one is still good. */
export function derivedSecrets({ SECRET_KEYS }: Settings, purpose: string): [Buffer, ...Buffer[]] {
  const [newest = '', ...older] = SECRET_KEYS;
  const derive = (secret: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `signalbox:${purpose}`, 32));
  return [derive(newest), ...older.map(derive)];
}
