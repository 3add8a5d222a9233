import { wrongOption, wrongSecret } from './wrong-option.js';

/** A secret, as text or bytes. */
export type Secret = string | Uint8Array;

/** A secret, or a list of them, newest first. Each of at least 32 bytes. */
export type Secrets = Secret | readonly Secret[];

const MIN_BYTES = 32;

/**
 * The list of them, newest first. No message shows anything of a secret.
 *
 * @throws {TypeError} when there is none, or one is not text or bytes, or too short
 */
export function requireSecrets(owner: string, option: string, secrets: unknown): [Secret, ...Secret[]] {
  const list: readonly unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  const [newest, ...older] = list.map((secret) => {
    if (isLong(secret)) return secret;
    throw wrongSecret(owner, option, `of at least ${MIN_BYTES} bytes each`, secret);
  });
  if (newest === undefined) throw wrongOption(owner, option, 'one secret at least', secrets);
  return [newest, ...older];
}

/** @throws {TypeError} when `secret` is not text or bytes, or too short */
export function requireSecret(owner: string, option: string, secret: unknown): asserts secret is Secret {
  if (!isLong(secret)) throw wrongSecret(owner, option, `of at least ${MIN_BYTES} bytes`, secret);
}

function isLong(secret: unknown): secret is Secret {
  return (
    (typeof secret === 'string' || secret instanceof Uint8Array) && Buffer.byteLength(secret) >= MIN_BYTES
  );
}
