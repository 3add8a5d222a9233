import { TokenError } from './errors.js';
import type { KeySource, VerificationKey } from './keys.js';

/** What a token's header says, as far as it is believed: `jku`, `jwk`, `x5u` and `x5c` are not looked at. */
export interface TokenHeader {
  readonly key: VerificationKey;
  /** In lower case and without `application/` (RFC 7515 section 4.1.9); empty where there is none. */
  readonly typ: string;
}

/** The `typ` of our refresh tokens. There is no registered one; what matters is that it is no other's. */
export const REFRESH_TYPE = 'rt+jwt';

/** Headers are the same for all tokens of a key; so many are remembered. */
const MAX_REMEMBERED = 64;
const MAX_LENGTH = 1_024;

/**
 * Reads the headers of tokens.
 *
 * @throws {TokenError} when there is no such key here, or something in it must be understood that is not
 */
export function headerReader(keys: KeySource): (token: string) => TokenHeader {
  let remembered = new Map<string, TokenHeader>();
  let version = keys.version;

  return function readHeader(token) {
    const end = token.indexOf('.');
    if (end < 1 || end > MAX_LENGTH) throw new TokenError('invalid_token', 'malformed');
    if (version !== keys.version) {
      remembered = new Map();
      version = keys.version;
    }
    const text = token.slice(0, end);
    const known = remembered.get(text);
    if (known !== undefined) return known;

    const header = parse(text, keys);
    // Only what names a key is kept, and a text that is spelt differently each time pushes nothing out.
    if (remembered.size < MAX_REMEMBERED) remembered.set(text, header);
    return header;
  };
}

function parse(text: string, keys: KeySource): TokenHeader {
  const { alg, kid, typ = '', crit } = fieldsOf(text);
  if (typeof alg !== 'string' || typeof typ !== 'string' || (kid !== undefined && typeof kid !== 'string')) {
    throw new TokenError('invalid_token', 'header');
  }
  // RFC 7515 section 4.1.11: who does not understand an extension that is critical must refuse, and we know none.
  if (crit !== undefined) throw new TokenError('invalid_token', 'header');
  const key = keys.find(kid, alg);
  if (key === undefined) throw new TokenError('invalid_token', 'unknown_key');
  return { key, typ: plainType(typ) };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch {
    // Not JSON: the same as JSON that is no object.
  }
  throw new TokenError('invalid_token', 'header');
}

/** RFC 7515 section 4.1.9: `application/` may be left out, and media types know no case. */
export function plainType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}
