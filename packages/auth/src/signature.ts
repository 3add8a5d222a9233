import { sign as signBytes, verify as verifyBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { ALGORITHMS, type Algorithm } from './algorithms.js';
import { TokenError } from './errors.js';
import type { SigningKey, VerificationKey } from './keys.js';

const { sign, verify } = jwt;

/** Made once: jsonwebtoken copies them at each call. What the claims say is looked at elsewhere, for all algorithms alike. */
const VERIFY_OPTIONS: ReadonlyMap<Algorithm, jwt.VerifyOptions> = new Map(
  ALGORITHMS.filter((alg) => alg !== 'EdDSA').map((alg) => [
    alg,
    { algorithms: [alg], ignoreExpiration: true, ignoreNotBefore: true },
  ]),
);

/**
 * Signs claims as they are.
 *
 * @param typ what kind of token it is (RFC 8725 section 3.11)
 */
export function signToken(claims: object, typ: string, { alg, kid, signer }: SigningKey): string {
  const header = { alg, typ, kid };
  // As text: of an object jsonwebtoken would look at each claim, and stumble over one that is called `valueOf`.
  const text = JSON.stringify(claims);
  if (alg !== 'EdDSA') return sign(text, signer, { algorithm: alg, header });
  // jsonwebtoken has no EdDSA.
  const input = `${encode(JSON.stringify(header))}.${encode(text)}`;
  return `${input}.${signBytes(null, Buffer.from(input), signer).toString('base64url')}`;
}

/**
 * What the token says, once its signature is known to be right.
 *
 * @throws {TokenError} when it is not, whatever is wrong
 */
export function verifiedPayload(token: string, key: VerificationKey): unknown {
  if (!isCanonical(token)) throw new TokenError('invalid_token', 'malformed');
  const options = VERIFY_OPTIONS.get(key.alg);
  try {
    return options === undefined ? verifiedByEdDsa(token, key) : verify(token, key.verifier, options);
  } catch (cause) {
    throw new TokenError('invalid_token', 'signature', { cause });
  }
}

function verifiedByEdDsa(token: string, { verifier }: VerificationKey): unknown {
  const end = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  if (!verifyBytes(null, Buffer.from(token.slice(0, end)), verifier, signature))
    throw new Error('invalid signature');
  const text = Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // RFC 7515 signs any bytes; whether they are claims is the caller's question.
    return text;
  }
}

const SERIALIZED = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Whether it is three parts of base64url, and no other text stands for the same signature: the last character may have
 * bits that are not used, which Node ignores and others would not (RFC 4648 section 3.5).
 */
function isCanonical(token: string): boolean {
  if (!SERIALIZED.test(token)) return false;
  const length = token.length - token.lastIndexOf('.') - 1;
  const rest = length % 4;
  if (rest === 1) return false;
  const unused = rest === 0 ? 0 : rest === 2 ? 0b1111 : 0b11;
  return (ALPHABET.indexOf(token.charAt(token.length - 1)) & unused) === 0;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
