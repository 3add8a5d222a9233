import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Texts that stand in the database and are no use to whoever reads only that. */
export interface Sealed {
  /** By the newest key. */
  seal(text: string): Buffer;
  /** `undefined` when none of the keys fits, or somebody changed it. */
  open(sealed: Uint8Array): Opened | undefined;
}

export interface Opened {
  readonly text: string;
  /** Whether an older key had sealed it: sealed anew, it does not need that one any more. */
  readonly isByOlderKey: boolean;
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
      if (box.length < IV_BYTES + TAG_BYTES) return undefined;
      for (const key of keys) {
        const decipher = createDecipheriv(CIPHER, key, box.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAuthTag(box.subarray(-TAG_BYTES));
        const text = decipher.update(box.subarray(IV_BYTES, -TAG_BYTES));
        try {
          const opened = Buffer.concat([text, decipher.final()]).toString('utf8');
          return { text: opened, isByOlderKey: key !== newest };
        } catch {
          // Sealed under another key.
        }
      }
      return undefined;
    },
  };
}
