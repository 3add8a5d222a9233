import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Texts that stand in the database and are no use to whoever reads only that. */
export interface Sealed {
  seal(text: string): Buffer;
  /** @throws {Error} when none of the keys fits, or somebody changed it */
  open(sealed: Uint8Array): string;
}

/** @param keys of 32 bytes, newest first: the first one seals, all of them open */
export function sealed(keys: readonly Buffer[]): Sealed {
  const [newest] = keys;
  if (newest === undefined) throw new TypeError('sealed: "keys" must be a list of keys, got none');

  return {
    seal(text) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, newest, iv);
      return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },

    open(box) {
      for (const key of keys) {
        const decipher = createDecipheriv(CIPHER, key, box.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAuthTag(box.subarray(-TAG_BYTES));
        const text = decipher.update(box.subarray(IV_BYTES, -TAG_BYTES));
        try {
          return Buffer.concat([text, decipher.final()]).toString('utf8');
        } catch {
          // Sealed under another key.
        }
      }
      throw new Error(
        'What was sealed cannot be opened: is the secret that was in use then still in SECRET_KEYS?',
      );
    },
  };
}
