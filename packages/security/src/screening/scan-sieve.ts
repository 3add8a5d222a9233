import { isSpace, mayBeginWord, mayEndWord, PIECE, skipBack, skipForward, UNITS } from './scan-units.js';
import * as words from './scan-words.js';

/**
 * Which places of a text are worth a look. Most marks of prose, data and markup stand where none of their questions
 * can have an answer: the quotes around the names of JSON, the stop at the end of a sentence. One pass by a table lists
 * the characters that something is asked of, a second one drops those whose two neighbours say no; of the others the
 * letters tell that a word beside them begins or ends with.
 *
 * What is said here must hold for `placeMatters` in scan.ts: a place is passed over only if that would return 0 and note
 * nothing.
 */

const { ALWAYS, BROKEN, CALLED, COLON, COMMAND, FILE, FIRSTS, LASTS, OWNER, PART, STEM, TAG } = words;
const units = UNITS;

interface Questions {
  readonly marks: string;
  /** For what the word behind the mark is looked up, and the word before it. */
  readonly after?: number;
  readonly before?: number;
  /** Only where a word follows at once. */
  readonly glued?: true;
  /** What matters behind the mark, spaces and brackets between or not, and right before it, whatever the words. */
  readonly followed?: string;
  readonly preceded?: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
const WORDS = `${LETTERS}${DIGITS}_`;
const ONE_CONTROL = '\x01';
/** Stand for all of their class. */
const LOOKALIKE = '\uFF1C';
const BROKEN_BYTES = '\uFFFD';
const WIDE_SPACE = '\u3000';

const QUESTIONS: readonly Questions[] = [
  // o: what follows may be a handler.
  { marks: '\'"', after: BROKEN | COMMAND, followed: '-#|/;>=<!*^&%+oO', before: ALWAYS | OWNER },
  { marks: '`', after: COMMAND, followed: '-#|/;>=<!*^&%+', before: CALLED },
  { marks: '<', after: TAG, followed: `!?%\0\t\x0B${ONE_CONTROL}` },
  // onload=: any word before it may be a handler.
  { marks: '=', after: BROKEN, preceded: `${WORDS} /\0\t\n\x0B${ONE_CONTROL}` },
  { marks: '.', after: FILE, before: OWNER | ALWAYS, glued: true, followed: `.${BROKEN_BYTES}` },
  { marks: '[]', before: OWNER },
  { marks: ':', before: COLON },
  { marks: '(', after: COMMAND, before: CALLED | ALWAYS },
  { marks: ')', after: BROKEN, followed: '{' },
  { marks: '/', after: FILE, followed: '*' },
  { marks: '\\', after: FILE | BROKEN, followed: `.${WORDS}` },
  { marks: '-', followed: '-' },
  { marks: '{', after: COMMAND, followed: '{%', preceded: '$#' },
  { marks: '$', followed: `({${WORDS}` },
  { marks: '%', followed: WORDS },
  { marks: '&', after: BROKEN | COMMAND, followed: `#${WORDS}` },
  { marks: '#', after: BROKEN, followed: '{' },
  { marks: ';|', after: BROKEN | COMMAND },
  { marks: '!', preceded: '<' },
  // Of __proto__ nothing is before the first underscore.
  { marks: '_', followed: '_', before: STEM },
  // 0x2f
  { marks: DIGITS, after: BROKEN, followed: 'xX' },
  // union, which needs no mark to matter
  { marks: 'nN', followed: ` \t\n(/\x0B${WIDE_SPACE}` },
];

const LOOKALIKES = [...codes(0xff21, 0xff3a), ...codes(0xff41, 0xff5a)]
  .map((code) => String.fromCharCode(code))
  .join('');
/**
 * Characters that are alike here, in whatever they ask and answer: first those that something is asked of, then others
 * that may be an answer. All that is in neither list is one more class.
 */
const ASKED: readonly string[] = [
  'nN',
  DIGITS,
  '_',
  '\0',
  '\x0B\x0C',
  String.fromCharCode(...codes(1, 8), ...codes(14, 31)),
  // Full-width punctuation is normal in Chinese and Japanese; full-width letters and signs of code are not.
  `\uFF1C\uFF1E\uFF07\uFF02\uFF0E\uFF0F\u2024\u2025\u2215\u2044\u2216\uFE68\uFE64\uFE65\u2039\u203A\u3008\u3009\u02BC\u02B9\u560A\u560D\uEFC8\uF025${LOOKALIKES}`,
  '\'"',
  '[]',
  ';|',
  ...'` < = . : ( ) / \\ - { $ % & # !'.split(' '),
];
const ANSWERS: readonly string[] = [
  LETTERS.replace(/[nox]/gi, ''),
  'oO',
  'xX',
  ' \xA0',
  '\t',
  '\n\r',
  BROKEN_BYTES,
  // What \s takes for a space and nothing else does.
  `\u3000\u1680\u2028\u2029\u202F\u205F\uFEFF${String.fromCharCode(...codes(0x2000, 0x200a))}`,
  ...'> } ? * ^ +'.split(' '),
];
/** What is noted wherever it stands. */
const NOTED = `\0\x0B${ONE_CONTROL}${LOOKALIKE}`;

function codes(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The class of each character: above the half where something is asked of it. */
const CLASS_BITS = 6;
const HALF_BITS = CLASS_BITS - 1;
const CLASS = new Uint8Array(65_536);
for (const [index, chars] of ASKED.entries()) fillClass(chars, (1 << HALF_BITS) + index);
for (const [index, chars] of ANSWERS.entries()) fillClass(chars, 1 + index);

function fillClass(chars: string, number: number): void {
  for (let i = 0; i < chars.length; i++) CLASS[chars.charCodeAt(i)] = number;
}

const classOf = (char: string): number => CLASS[char.charCodeAt(0)] as number;

/** What two characters side by side say. */
const PAIR = {
  /** The first of them is worth a look, for the word behind it. */
  first: 1,
  /** The second is, for the word before it. */
  second: 2,
  /** Whatever the words. */
  firstSurely: 4,
  secondSurely: 8,
  /** The first is, for the word before it. */
  both: 16,
  /** Behind the second a word may yet come. */
  skipped: 32,
} as const;
const { first: FIRST, second: SECOND, firstSurely: FIRST_SURELY, secondSurely: SECOND_SURELY } = PAIR;
const { both: BOTH, skipped: SKIPPED } = PAIR;
const PAIRS = new Uint8Array(1 << (2 * CLASS_BITS));
/** For what the words beside a mark are looked up. */
const AFTER = new Uint8Array(1 << CLASS_BITS);
const BEFORE = new Uint16Array(1 << CLASS_BITS);

function note(first: number, second: number, bits: number): void {
  const pair = (first << CLASS_BITS) | second;
  PAIRS[pair] = (PAIRS[pair] as number) | bits;
}

/** Whether a word that is listed for one of `when` begins or ends with one of `chars`. */
function mayBe(chars: string, when: number, table: Uint8Array | Uint16Array): boolean {
  for (let i = 0; i < chars.length; i++)
    if (((table[PART[chars.charCodeAt(i)] as number] as number) & when) !== 0) return true;
  return false;
}

for (const { marks, after = 0, before = 0, glued = false, followed = '', preceded = '' } of QUESTIONS) {
  for (const mark of new Set(Array.from(marks, classOf))) {
    AFTER[mark] = after;
    BEFORE[mark] = before;
    for (const chars of [...ASKED, ...ANSWERS]) {
      const sample = chars.charAt(0);
      const beside = classOf(sample);
      const isSkipped = isSpace(sample.charCodeAt(0)) || sample === ')' || sample === '+';
      if (followed.includes(sample)) note(mark, beside, FIRST | FIRST_SURELY);
      if (preceded.includes(sample)) note(beside, mark, SECOND | SECOND_SURELY);
      if (glued && PART[sample.charCodeAt(0)] !== 0) note(mark, beside, FIRST | BOTH);
      else if (mayBe(chars, after, FIRSTS)) note(mark, beside, FIRST);
      if (isSkipped && after !== 0 && !glued) note(mark, beside, FIRST | SKIPPED);
      if (!glued && (mayBe(chars, before, LASTS) || (isSkipped && before !== 0))) note(beside, mark, SECOND);
    }
  }
}
for (const mark of NOTED)
  for (let beside = 0; beside < 1 << CLASS_BITS; beside++) note(classOf(mark), beside, FIRST | FIRST_SURELY);

/** What {@link sieve} left, ascending. */
const places = new Int32Array(PIECE + 1);
export const PLACES: Int32Array = places;

// A loop is optimized well as a part of a function that is called often, and for good less so while it runs for long.
const STEP = 512;

/** Leaves in `PLACES` where something may matter between `from` and `end`, and says how many places these are. */
export function sieve(from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; at += STEP) {
    const next = listAsking(at, Math.min(at + STEP, end), count);
    count = dropUnanswered(count, next);
  }
  return count;
}

/** Adds where something is asked at all. */
function listAsking(from: number, end: number, found: number): number {
  let count = found;
  for (let i = from; i < end; i++) {
    // Without a branch, since nobody could foretell which way it goes.
    places[count] = i;
    count += (CLASS[units[i] as number] as number) >> HALF_BITS;
  }
  return count;
}

/** Takes out where the two neighbours say that the answer is no. */
function dropUnanswered(first: number, end: number): number {
  let count = first;
  for (let i = first; i < end; i++) {
    const at = places[i] as number;
    const here = CLASS[units[at] as number] as number;
    const behind = PAIRS[(here << CLASS_BITS) | (CLASS[units[at + 1] as number] as number)] as number;
    const before = PAIRS[((CLASS[units[at - 1] as number] as number) << CLASS_BITS) | here] as number;
    places[count] = at;
    count += (behind | (before >> 1)) & 1;
  }
  return count;
}

/** Whether nothing can come of the place at `at`. */
export function isQuiet(at: number): boolean {
  const mark = CLASS[units[at] as number] as number;
  const row = mark << CLASS_BITS;
  const behind = PAIRS[row | (CLASS[units[at + 1] as number] as number)] as number;
  const before = PAIRS[((CLASS[units[at - 1] as number] as number) << CLASS_BITS) | mark] as number;
  if (((behind & FIRST_SURELY) | (before & SECOND_SURELY)) !== 0) return false;
  if ((behind & FIRST) !== 0) {
    const start = (behind & SKIPPED) === 0 ? at + 1 : skipForward(at + 1);
    if (mayBeginWord(start, AFTER[mark] as number)) return false;
    if (((PAIRS[row | (CLASS[units[start] as number] as number)] as number) & FIRST_SURELY) !== 0)
      return false;
  }
  return ((before & SECOND) | (behind & BOTH)) === 0 || !mayEndWord(skipBack(at), BEFORE[mark] as number);
}
