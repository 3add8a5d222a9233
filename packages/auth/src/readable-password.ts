/** Characters. NIST SP 800-63B asks for at least 64. */
export const MAX_PASSWORD_LENGTH = 256;

/** No password that fits is longer than that in UTF-16 before it is normalized. */
const MAX_RAW_UNITS = 4 * MAX_PASSWORD_LENGTH;

/** Half of a surrogate pair. All of them become the same U+FFFD in UTF-8, so that many passwords would be one. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * A password as it is hashed: in NFKC, so that `é` is the same from every keyboard (NIST SP 800-63B section 5.1.1.2).
 * `undefined` for what is no password: no text, longer than anybody may choose, or with halves of characters in it.
 */
export function readablePassword(password: unknown): string | undefined {
  if (typeof password !== 'string' || password.length > MAX_RAW_UNITS) return undefined;
  if (LONE_SURROGATE.test(password)) return undefined;
  const normalized = password.normalize('NFKC');
  // Some characters normalize to eighteen.
  return lengthOf(normalized) > MAX_PASSWORD_LENGTH ? undefined : normalized;
}

/** In characters, as people count. */
export function lengthOf(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    const isSecondHalf = unit >= 0xdc00 && unit <= 0xdfff;
    if (!isSecondHalf) length += 1;
  }
  return length;
}
