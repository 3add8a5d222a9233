import { refuseUnknownOptions, requireInteger, requireObject, wrongOption } from '@signalbox/options';
import { isCommonPassword } from './common-passwords.js';
import { lengthOf, MAX_PASSWORD_LENGTH, readablePassword } from './readable-password.js';

/** What is wrong with a password somebody wants to have. */
export interface PasswordProblem {
  /** Stable, in snake_case. */
  readonly code: 'invalid' | 'too_short' | 'too_long' | 'common' | 'repetitive' | 'sequential' | 'personal';
  /** For the one who chose it. */
  readonly message: string;
}

/** Options of {@link passwordProblem}. */
export interface PasswordProblemOptions {
  /** The account's address: neither its name nor its domain may be most of the password. */
  email?: string | undefined;
  /**
   * Other words that others would try first, such as the user's and the app's name.
   * @default []
   */
  words?: readonly string[] | undefined;
  /**
   * Characters at least. NIST asks for 15 where the password is the only factor.
   * @default 8
   */
  minLength?: number | undefined;
}

/**
 * What is wrong with a new password, or `undefined`. By NIST SP 800-63B: long enough, not among those that are tried
 * first, not made of what everybody knows of the user; no rules of which kinds of characters it has to have.
 *
 * @throws {TypeError} when an option is wrong; never for a password
 *
 * @example
 * const problem = passwordProblem(password, { email, words: ['Signalbox'] });
 * if (problem) throw new UnprocessableContentError(problem.message, { code: 'weak_password' });
 */
export function passwordProblem(
  password: unknown,
  options: PasswordProblemOptions = {},
): PasswordProblem | undefined {
  const { email, words, minLength } = resolveOptions(options);
  if (typeof password !== 'string') return problem('invalid', 'The password must be text.');
  const readable = readablePassword(password);
  if (readable === undefined) {
    return lengthOf(password) > MAX_PASSWORD_LENGTH
      ? problem('too_long', `Choose a password of at most ${MAX_PASSWORD_LENGTH} characters.`)
      : problem('invalid', 'The password holds characters that cannot be kept.');
  }
  if (lengthOf(readable) < minLength) {
    return problem('too_short', `Choose a password of at least ${minLength} characters.`);
  }

  const lowered = readable.toLowerCase();
  if (isCommon(lowered)) {
    return problem('common', 'Many people have this password, so it is tried first. Choose another.');
  }
  if (isRepetitive(lowered)) return problem('repetitive', 'The password repeats itself. Choose another.');
  if (isSequence(lowered)) {
    return problem(
      'sequential',
      'The password is a row of neighbouring keys, letters or digits. Choose another.',
    );
  }
  if (isPersonal(lowered, [...partsOf(email), ...words])) {
    return problem(
      'personal',
      'The password is made of your name, your address or our name. Choose another.',
    );
  }
  return undefined;
}

function resolveOptions(options: PasswordProblemOptions): {
  email: string | undefined;
  words: readonly string[];
  minLength: number;
} {
  requireObject('passwordProblem', 'options', options);
  refuseUnknownOptions('passwordProblem', options, ['email', 'words', 'minLength']);
  const { email, words = [], minLength = 8 } = options;
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
    throw wrongOption('passwordProblem', 'words', 'a list of strings', words);
  }
  requireInteger('passwordProblem', 'minLength', minLength, 8, 64);
  // It comes from the same form as the password, checked or not.
  return { email: typeof email === 'string' ? email : undefined, words, minLength };
}

function problem(code: PasswordProblem['code'], message: string): PasswordProblem {
  return { code, message };
}

const LOOKS_LIKE: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** `Password1!` and `p@ssw0rd` are what everybody makes of `password` when digits and signs are asked for. */
function isCommon(lowered: string): boolean {
  if (isCommonPassword(lowered)) return true;
  const core = lowered.replace(/^[^a-z]{0,5}/, '').replace(/[^a-z]{0,5}$/, '');
  const spelled = (text: string): string => text.replace(/[0134579@$!]/g, (sign) => LOOKS_LIKE[sign] ?? sign);
  return isCommonPassword(core) || isCommonPassword(spelled(lowered)) || isCommonPassword(spelled(core));
}

/** `aaaaaaaa`, `abcabcabc`: a piece of up to four characters over and over. */
function isRepetitive(text: string): boolean {
  for (let period = 1; period <= 4; period += 1) {
    if (text.slice(period) === text.slice(0, -period)) return true;
  }
  return false;
}

const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'yxcvbnm', 'azertyuiop', '1234567890'];
const TRACKS: readonly string[] = ROWS.flatMap((row) => [row, row.split('').toReversed().join('')]);

/** Nothing but steps of one along the alphabet, the digits or a row of keys, in two runs at most. */
function isSequence(text: string): boolean {
  let runs = 1;
  let direction = 0;
  for (let index = 1; index < text.length; index += 1) {
    const pair = text.slice(index - 1, index + 1);
    const step = text.charCodeAt(index) - text.charCodeAt(index - 1);
    const goesOn = (Math.abs(step) === 1 && (direction === 0 || direction === step)) || isOnTrack(pair);
    if (goesOn) {
      direction = Math.abs(step) === 1 ? step : 0;
      continue;
    }
    runs += 1;
    direction = 0;
    if (runs > 2) return false;
  }
  return true;
}

function isOnTrack(pair: string): boolean {
  return TRACKS.some((track) => track.includes(pair));
}

/** `alice@example.org` is `alice`, its dotted parts, `example.org` and `example`. */
function partsOf(email: string | undefined): string[] {
  if (email === undefined) return [];
  const at = email.lastIndexOf('@');
  const name = at === -1 ? email : email.slice(0, at);
  const domain = at === -1 ? '' : email.slice(at + 1);
  return [email, name, ...name.split(/[._+-]/), domain, ...domain.split('.')];
}

/** Whether too little is left when all that is known of the user is taken away. */
function isPersonal(lowered: string, words: readonly string[]): boolean {
  const known = words
    .map((word) => word.slice(0, MAX_PASSWORD_LENGTH).normalize('NFKC').toLowerCase().trim())
    .filter((word) => lengthOf(word) >= 4)
    .toSorted((one, other) => other.length - one.length);
  const rest = known.reduce((text, word) => text.replaceAll(word, ''), lowered);
  return rest !== lowered && lengthOf(rest) < 8;
}
