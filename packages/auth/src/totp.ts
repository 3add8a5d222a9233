import { randomBytes } from 'node:crypto';
import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireObject,
  requireText,
  wrongOption,
  wrongSecret,
  type Secrets,
} from '@signalbox/options';
import { HOTP, Secret, TOTP } from 'otpauth';
import { hashKeyedBy, keyedHash, type KeyedHash } from './keyed-hash.js';
import { newRecoveryCode, plainRecoveryCode } from './recovery-code.js';

/** Options of {@link totp}. */
export interface TotpOptions {
  /** What the authenticator shows beside the account, such as `Signalbox`. Without a colon. */
  issuer: string;
  /**
   * One secret or several, newest first, of at least 32 bytes: keys the hashes of recovery codes that are not keyed by the
   * secret of their account.
   */
  secrets: Secrets;
  /**
   * How many steps of 30 seconds before and after the current one are accepted: 0 to 2.
   * @default 1
   */
  window?: number | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

/** Codes for who has lost the authenticator. */
export interface RecoveryCodes {
  /** To be shown once, and never kept. */
  readonly codes: readonly string[];
  /** To be kept, in the order of the codes. */
  readonly hashes: readonly string[];
}

/** A second factor by RFC 6238, as every authenticator app has it: SHA-1, six digits, 30 seconds. */
export interface Totp {
  /** A new secret of 160 bits in base32, to be kept with the account once a code of it was verified. */
  secret(): string;
  /** What the QR code holds: `otpauth://totp/Signalbox:alice?…`. */
  uri(account: string, secret: string): string;
  /**
   * The step that a code belongs to; `undefined` where it is wrong, or of a step up to `lastStep`.
   *
   * Keep the step, and let in only who has raised it: `update … set last_step = $1 where last_step < $1`. So a code that
   * was watched over a shoulder is worth nothing, also when both arrive at once (RFC 6238 section 5.2).
   *
   * @throws {TypeError} when the secret is none that {@link Totp.secret} made
   */
  verify(secret: string, code: string, lastStep?: number | null): number | undefined;
  /**
   * New codes; those before are void when their hashes are thrown away. 10 by default, at most 50.
   *
   * The account's own `secret` keys the hashes, where it is given: it stays the same when it is encrypted anew, and so do
   * they. Those of `secrets` are good as long as the one they were made under is listed: without the codes nobody can
   * hash them anew.
   *
   * @throws {TypeError} when the count or the secret is wrong
   */
  recoveryCodes(count?: number, secret?: string): RecoveryCodes;
  /**
   * Which of the kept hashes a recovery code stands for, by the account's own `secret` or any of `secrets`; `undefined`
   * where for none. Spaces, dashes and capitals do not matter. Let in only who has deleted that hash: each code is good
   * once.
   */
  recoveryHash(code: string, hashes: readonly string[], secret?: string): string | undefined;
}

const PERIOD_SECONDS = 30;
const DIGITS = 6;
const RECOVERY_CODE = 'recovery-code';

/**
 * Time-based one-time passwords as a second factor, and recovery codes for who has lost theirs.
 *
 * Six digits can be guessed: limit the attempts of an account.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const factor = totp({ issuer: 'Signalbox', secrets });
 * const step = factor.verify(user.totpSecret, req.body.code, user.totpStep);
 */
export function totp(options: TotpOptions): Totp {
  const { issuer, window, now, hash } = resolveOptions(options);

  return {
    secret: () => new Secret({ size: 20 }).base32,

    uri(account, secret) {
      requireText('totp', 'account', account);
      return new TOTP({ issuer, label: account, secret: secretOf(secret) }).toString();
    },

    verify(secret, code, lastStep) {
      const key = secretOf(secret);
      const after = lastStep ?? -1;
      requireInteger('totp', 'lastStep', after, -1);
      const token = digitsOf(code);
      if (token === undefined) return undefined;

      const current = Math.floor(now() / 1_000 / PERIOD_SECONDS);
      let found: number | undefined;
      // All of them, whichever fits: the time says nothing of the clocks.
      for (let step = Math.max(0, current - window); step <= current + window; step += 1) {
        const delta = HOTP.validate({ token, secret: key, digits: DIGITS, counter: step, window: 0 });
        if (delta === 0 && step > after) found ??= step;
      }
      return found;
    },

    recoveryCodes(count = 10, secret) {
      requireInteger('totp', 'count', count, 1, 50);
      const hasher = secret === undefined ? hash : ownHash(secret);
      const codes = Array.from({ length: count }, () => newRecoveryCode(randomBytes));
      return { codes, hashes: codes.map((code) => hasher.of(plainRecoveryCode(code) ?? code)) };
    },

    recoveryHash(code, hashes, secret) {
      const plain = plainRecoveryCode(code);
      if (plain === undefined) return undefined;
      const hashers = secret === undefined ? [hash] : [ownHash(secret), hash];
      // All are looked at, so that the time does not tell which.
      return hashes.filter((kept) => hashers.some((hasher) => hasher.ageOf(plain, kept) !== undefined))[0];
    },
  };
}

function resolveOptions(options: TotpOptions) {
  requireObject('totp', 'options', options);
  refuseUnknownOptions('totp', options, ['issuer', 'secrets', 'window', 'now']);
  const { issuer, secrets, window = 1, now = Date.now } = options;
  requireText('totp', 'issuer', issuer);
  // It parts issuer and account in the label of the URI.
  if (issuer.includes(':')) throw wrongOption('totp', 'issuer', 'without a colon', issuer);
  if (secrets === undefined) throw wrongOption('totp', 'secrets', 'a secret, or a list of them', secrets);
  requireInteger('totp', 'window', window, 0, 2);
  requireFunction('totp', 'now', now);
  return { issuer, window, now, hash: keyedHash('totp', secrets, RECOVERY_CODE) };
}

/** By what the account itself keeps secret. */
function ownHash(secret: string): KeyedHash {
  return hashKeyedBy(secretOf(secret).bytes, RECOVERY_CODE);
}

const BASE32 = /^[A-Z2-7]{26,128}$/;

function secretOf(text: string): Secret {
  if (typeof text !== 'string' || !BASE32.test(text)) {
    throw wrongSecret('totp', 'secret', 'of at least 128 bits in base32', text);
  }
  return Secret.fromBase32(text);
}

/** People type `123 456`, and full-width digits where their keyboard has these. */
function digitsOf(code: unknown): string | undefined {
  if (typeof code !== 'string' || code.length > 32) return undefined;
  const digits = code.normalize('NFKC').replace(/[\s-]/g, '');
  return /^[0-9]{6}$/.test(digits) ? digits : undefined;
}
