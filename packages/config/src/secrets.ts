import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { listEntries, requireInteger, setting, Wrong, type SecretAbout } from './setting.js';

/** Options of {@link secret} and {@link secrets}. */
export interface SecretOptions {
  /**
   * The least length in production, in bytes of UTF-8.
   * @default 32
   */
  minBytes?: number | undefined;
  /**
   * Makes a random one at start when none is set, in development and test. In production it has to be set.
   * @default false
   */
  generate?: boolean | undefined;
}

/**
 * A secret: shown nowhere; in production long and random enough, or the start is stopped. Elsewhere a weak one is
 * warned of.
 */
export function secret(options: SecretOptions = {}): z.ZodType<string> {
  const about = resolveSecret('secret', options);
  return setting({ wanted: `a secret of at least ${about.minBytes} bytes`, secret: about }, (value) => {
    return typeof value === 'string' && value !== '' ? value : new Wrong('must be a secret, and not empty');
  });
}

/**
 * Secrets with commas between them, newest first: the first signs, all of them verify, so that a secret is
 * replaced without signing anybody out.
 */
export function secrets(options: SecretOptions = {}): z.ZodType<string[]> {
  const about = resolveSecret('secrets', options);
  const wanted = `secrets of at least ${about.minBytes} bytes, newest first, with commas between them`;
  return setting({ wanted, list: true, secret: about }, (value) => {
    const entries = listEntries(value);
    if (entries === undefined) return new Wrong(`must be ${wanted}, none of them empty`);
    if (entries.length === 0) return new Wrong('must hold at least one secret');
    if (new Set(entries).size < entries.length) return new Wrong('must not hold the same secret twice');
    return entries;
  });
}

function resolveSecret(name: string, options: SecretOptions): SecretAbout {
  const { minBytes = 32, generate = false } = options;
  requireInteger(name, 'minBytes', minBytes, 1);
  if (typeof generate !== 'boolean') {
    throw new TypeError(`${name}: "generate" must be true or false, got ${String(generate)}`);
  }
  return { minBytes, generate };
}

/** A secret for this run of the program. */
export function generateSecret({ minBytes }: SecretAbout): string {
  return randomBytes(Math.max(32, minBytes)).toString('base64url');
}

const PLACEHOLDERS =
  /change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|your[-_ ]|example|password|passwort|placeholder|secret|insert|default|development|qwerty|letmein/gi;

/**
 * Why `value` is too weak for production, as the predicate of a sentence, or `undefined` when it is not.
 *
 * Words that stand in examples, repetitions and runs such as `abcd` or `1111` count for nothing; what is left
 * must hold 2 bits a byte asked for, 64 at most. A random secret of the asked length holds more than twice that.
 */
export function weaknessOf(value: string, { minBytes }: SecretAbout): string | undefined {
  const size = Buffer.byteLength(value);
  if (size < minBytes) return `is too short: ${size} bytes, and ${minBytes} are wanted`;
  const bits = entropyBits(withoutRuns(firstPeriod(value.slice(0, 1024).replace(PLACEHOLDERS, ''))));
  return bits < Math.min(64, minBytes * 2) ? 'is too easy to guess: use a random one' : undefined;
}

/** `abcabcab` says no more than `abc`. */
function firstPeriod(text: string): string {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return text.slice(0, period);
  }
  return text;
}

function withoutRuns(text: string): string {
  let kept = '';
  for (let index = 0; index < text.length; index++) {
    const step = index === 0 ? Number.NaN : text.charCodeAt(index) - text.charCodeAt(index - 1);
    if (!(Math.abs(step) <= 1)) kept += text[index];
  }
  return kept;
}

/** Shannon's entropy of the characters, over the length of the text. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / text.length);
  return bits;
}
