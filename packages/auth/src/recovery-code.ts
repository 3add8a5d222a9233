/** Crockford's base32: no I, L, O and U, which are misread. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 12;

/** 60 random bits, as `k3m9-x2dp-7hqt`: with a keyed hash and a limit on attempts more than enough. */
export function newRecoveryCode(random: (bytes: number) => Uint8Array): string {
  // 256 is a multiple of 32, so that each character is as likely.
  const text = Array.from(random(LENGTH), (byte) => ALPHABET.charAt(byte % 32)).join('');
  return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

/** A recovery code as it is hashed, however it was typed; `undefined` for what cannot be one. */
export function plainRecoveryCode(code: unknown): string | undefined {
  if (typeof code !== 'string' || code.length > 64) return undefined;
  const plain = code
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replace(/o/g, '0')
    .replace(/[il]/g, '1');
  return /^[0-9a-hjkmnp-tv-z]{12}$/.test(plain) ? plain : undefined;
}
