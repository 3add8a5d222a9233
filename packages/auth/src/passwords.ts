import { randomBytes, timingSafeEqual } from 'node:crypto';
import { UnprocessableContentError } from '@signalbox/errors';
import { refuseUnknownOptions, requireInteger, requireObject, wrongOption } from '@signalbox/options';
import { fewAtOnce } from './few-at-once.js';
import { readablePassword } from './readable-password.js';
import {
  derive,
  DIGEST_BYTES,
  formatHash,
  isAffordable,
  parseHash,
  SALT_BYTES,
  type ScryptCost,
} from './scrypt-hash.js';

/** Options of {@link passwords}. The defaults are OWASP's minimum for scrypt: 128 MiB and about half a second. */
export interface PasswordsOptions {
  /**
   * Binary logarithm of the rounds, 10 to 20. Each step doubles time and memory.
   * @default 17
   */
  logN?: number | undefined;
  /** @default 8 */
  blockSize?: number | undefined;
  /** @default 1 */
  parallelism?: number | undefined;
  /**
   * How many are computed at once; each takes 128 · blockSize · 2^logN bytes and a thread of libuv's four.
   * @default 2
   */
  maxAtOnce?: number | undefined;
  /**
   * How many may wait for that. Further ones are refused with 503.
   * @default 32
   */
  maxWaiting?: number | undefined;
}

export interface PasswordCallOptions {
  /** Such as `req.signal`: what has not begun when it is aborted is left out. */
  signal?: AbortSignal | undefined;
}

/** Passwords as they are kept: salted, slow to compute, the cost written beside. */
export interface Passwords {
  /**
   * A PHC string, `$scrypt$ln=17,r=8,p=1$…`.
   *
   * @throws {UnprocessableContentError} 422 `invalid_password` for what cannot be kept faithfully
   * @throws {ServiceUnavailableError} 503 `passwords_busy` when too many wait
   */
  hash(password: string, options?: PasswordCallOptions): Promise<string>;
  /**
   * Whether it is the password. Without a hash, which is what there is of a user that does not exist, the answer
   * is false after the same time.
   *
   * @throws {ServiceUnavailableError} 503 `passwords_busy` when too many wait
   */
  verify(password: string, hash: string | null | undefined, options?: PasswordCallOptions): Promise<boolean>;
  /** Whether to hash the password anew at the next sign-in, since the cost is another now. */
  needsRehash(hash: string): boolean;
}

const NO_OPTIONS: PasswordCallOptions = {};

/**
 * Hashes and verifies passwords with scrypt (RFC 7914), a few at a time, so that a flood of sign-ins does not eat the
 * memory.
 *
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * const { hash, verify } = passwords({ maxAtOnce: 4 });
 */
export function passwords(options: PasswordsOptions = {}): Passwords {
  const { cost, maxAtOnce, maxWaiting } = resolveOptions(options);
  const turns = fewAtOnce(maxAtOnce, maxWaiting);
  const nobody = { ...cost, salt: randomBytes(SALT_BYTES), digest: randomBytes(DIGEST_BYTES) };

  return {
    async hash(password, { signal } = NO_OPTIONS) {
      const readable = readablePassword(password);
      if (readable === undefined)
        throw new UnprocessableContentError(UNREADABLE, { code: 'invalid_password' });
      const salt = randomBytes(SALT_BYTES);
      const digest = await turns.run(() => derive(readable, salt, DIGEST_BYTES, cost), signal);
      return formatHash({ ...cost, salt, digest });
    },

    async verify(password, hash, { signal } = NO_OPTIONS) {
      const readable = readablePassword(password);
      const kept = parseHash(hash);
      if (kept === undefined && typeof hash === 'string') warnOfForeignHash();

      const { salt, digest, ...paid } = kept ?? nobody;
      const computed = await turns.run(() => derive(readable ?? '', salt, digest.length, paid), signal);
      const isSame = timingSafeEqual(computed, digest);
      return isSame && kept !== undefined && readable !== undefined;
    },

    needsRehash(hash) {
      const kept = parseHash(hash);
      return (
        kept === undefined ||
        kept.logN !== cost.logN ||
        kept.blockSize !== cost.blockSize ||
        kept.parallelism !== cost.parallelism ||
        kept.salt.length < SALT_BYTES ||
        kept.digest.length < DIGEST_BYTES
      );
    },
  };
}

const UNREADABLE = 'The password is too long, or holds characters that cannot be kept.';

let shared: Passwords | undefined;

/** One queue for the whole process. */
function sharedPasswords(): Passwords {
  return (shared ??= passwords());
}

/**
 * Hashes a password with the defaults of {@link passwords}. All that use it share one queue.
 *
 * @example
 * await db.query('insert into users (email, password) values ($1, $2)', [email, await hashPassword(password)]);
 */
export function hashPassword(password: string, options?: PasswordCallOptions): Promise<string> {
  return sharedPasswords().hash(password, options);
}

/**
 * Whether it is the password of a hash; false after the same time where there is no hash.
 *
 * @example
 * const user = await findUser(email);
 * if (!(await verifyPassword(password, user?.passwordHash))) throw new UnauthorizedError();
 */
export function verifyPassword(
  password: string,
  hash: string | null | undefined,
  options?: PasswordCallOptions,
): Promise<boolean> {
  return sharedPasswords().verify(password, hash, options);
}

/** Whether a hash was made at another cost than {@link hashPassword} has now. */
export function needsRehash(hash: string): boolean {
  return sharedPasswords().needsRehash(hash);
}

let isWarned = false;

/** Who has such a row cannot sign in, which must not look like a wrong password to the operator, too. */
function warnOfForeignHash(): void {
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(
    'verifyPassword: a stored hash is no PHC string of scrypt, so nobody can sign in by it',
  );
}

function resolveOptions(options: PasswordsOptions): {
  cost: ScryptCost;
  maxAtOnce: number;
  maxWaiting: number;
} {
  requireObject('passwords', 'options', options);
  refuseUnknownOptions('passwords', options, ['logN', 'blockSize', 'parallelism', 'maxAtOnce', 'maxWaiting']);
  const { logN = 17, blockSize = 8, parallelism = 1, maxAtOnce = 2, maxWaiting = 32 } = options;
  requireInteger('passwords', 'logN', logN, 10, 20);
  requireInteger('passwords', 'blockSize', blockSize, 1, 999);
  requireInteger('passwords', 'parallelism', parallelism, 1, 16);
  requireInteger('passwords', 'maxAtOnce', maxAtOnce, 1);
  requireInteger('passwords', 'maxWaiting', maxWaiting, 0);
  const cost = { logN, blockSize, parallelism };
  if (!isAffordable(cost)) {
    throw wrongOption('passwords', 'logN', 'such that a hash takes 256 MiB at most', logN);
  }
  return { cost, maxAtOnce, maxWaiting };
}
