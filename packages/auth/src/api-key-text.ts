import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 16;
/** 62^43 is more than 2^256. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

/** An API key taken apart. */
export interface ApiKeyParts {
  /** Names the key; no secret. */
  readonly id: string;
  /** What is hashed: id and secret, so that a hash is of no use beside another id. */
  readonly secret: string;
}

/**
 * How keys are written: `sbx_<id>_<secret><checksum>`, in letters and digits, so that a double click selects what is
 * between the underscores, and a search for `sbx_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}` finds leaked ones. The checksum lets a
 * scanner tell a key from what merely looks like one, and spares the store what was made up.
 */
export interface ApiKeyFormat {
  make(): { readonly text: string; readonly parts: ApiKeyParts };
  parse(text: string): ApiKeyParts | undefined;
}

export function apiKeyFormat(prefix: string): ApiKeyFormat {
  const length = prefix.length + 1 + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;
  const shape = new RegExp(`^${prefix}_[0-9A-Za-z]{${ID_LENGTH}}_[0-9A-Za-z]+$`);
  const idAt = prefix.length + 1;

  function partsOf(body: string): ApiKeyParts {
    return { id: body.slice(idAt, idAt + ID_LENGTH), secret: body.slice(idAt) };
  }

  return {
    make() {
      const body = `${prefix}_${randomText(ID_LENGTH)}_${randomText(SECRET_LENGTH)}`;
      return { text: body + checksumOf(body), parts: partsOf(body) };
    },

    parse(text) {
      if (text.length !== length || !shape.test(text)) return undefined;
      const body = text.slice(0, -CHECKSUM_LENGTH);
      return text.endsWith(checksumOf(body)) ? partsOf(body) : undefined;
    },
  };
}

/** CRC-32 in six digits of base 62, as in the tokens of GitHub. It protects from slips, not from people. */
function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < CHECKSUM_LENGTH; place += 1) {
    digits = ALPHABET.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** The largest multiple of 62 that a byte can hold: above it some letters would be likelier. */
const FAIR_BELOW = 248;

function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < FAIR_BELOW && text.length < length) text += ALPHABET.charAt(byte % 62);
    }
  }
  return text;
}
