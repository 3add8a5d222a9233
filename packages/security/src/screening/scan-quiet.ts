import { isSpace, mayEndWord, UNITS, WORD_PART } from './scan-units.js';
import * as words from './scan-words.js';

/**
 * Most marks of prose, data and markup stand where none of their questions can have an answer: the quotes around the
 * names of JSON, the stop at the end of a sentence. Their two neighbours say so, before any word is looked up. What
 * is said here must hold for `markMatters` in scan.ts: a mark is quiet only if that would return 0 and note nothing.
 */

const { ALWAYS, BEGINNINGS, BROKEN, CALLED, COLON, COMMAND, FILE, OWNER, TAG, pairOf } = words;
const units = UNITS;
const PART = WORD_PART;

interface Questions {
  readonly marks: string;
  /** For what the word behind the mark is looked up, and the word before it. */
  readonly after?: number;
  readonly before?: number;
  /** What matters right behind the mark, and right before it, whatever the words. */
  readonly followed?: string;
  readonly preceded?: string;
}

const CONTROLS = String.fromCharCode(...Array(32).keys());

const QUESTIONS: readonly Questions[] = [
  // o: what follows may be a handler.
  { marks: '\'"', after: BROKEN | COMMAND, followed: '-#|/;>=<!*^&%+oO', before: ALWAYS | OWNER },
  { marks: '<', after: TAG, followed: `!?%${CONTROLS}` },
  { marks: '.', after: FILE, followed: '.', before: OWNER | ALWAYS },
  { marks: '[]', before: OWNER },
  { marks: ':', before: COLON },
  { marks: '(', after: COMMAND, before: CALLED | ALWAYS },
  { marks: ')', after: BROKEN, followed: '{' },
  { marks: '/', after: FILE, followed: '*' },
  { marks: '-', followed: '-' },
  { marks: '{', after: COMMAND, followed: '{%', preceded: '$#' },
  { marks: '#', after: BROKEN, followed: '{' },
  { marks: ';|', after: BROKEN | COMMAND },
  { marks: '>}?' },
];

/** What a neighbour says. */
const [QUIET, LOUD, WORD] = [0, 1, 2] as const;
const BEHIND = new Uint8Array(128 * 128).fill(LOUD);
const BEFORE = new Uint8Array(128 * 128).fill(LOUD);
/** For what the words beside a mark are looked up. */
const AFTER_WHEN = new Uint8Array(128);
const BEFORE_WHEN = new Uint8Array(128);

for (const { marks, after = 0, before = 0, followed = '', preceded = '' } of QUESTIONS) {
  for (const char of marks) {
    const mark = char.charCodeAt(0);
    AFTER_WHEN[mark] = after;
    BEFORE_WHEN[mark] = before;
    for (let code = 0; code < 128; code++) {
      const beside = String.fromCharCode(code);
      BEHIND[mark * 128 + code] = followed.includes(beside) ? LOUD : answer(code, after);
      BEFORE[mark * 128 + code] = preceded.includes(beside) ? LOUD : answer(code, before);
    }
  }
}

function answer(code: number, when: number): number {
  if (when === 0) return QUIET;
  // Beyond these a word may yet come.
  if (isSpace(code) || code === 41 || code === 43) return LOUD;
  return PART[code] === 1 ? WORD : QUIET;
}

/** Whether nothing can come of the mark at `at`. */
export function isQuiet(at: number): boolean {
  const mark = units[at] as number;
  const next = units[at + 1] as number;
  const previous = units[at - 1] as number;
  if ((mark | next | previous) > 127) return false;
  const behind = BEHIND[mark * 128 + next];
  const before = BEFORE[mark * 128 + previous];
  if (behind === LOUD || before === LOUD) return false;
  if (behind === WORD) {
    const begins = BEGINNINGS[pairOf(next, units[at + 2] as number)] as number;
    if ((begins & (AFTER_WHEN[mark] as number)) !== 0) return false;
  }
  return before === QUIET || !mayEndWord(at, BEFORE_WHEN[mark] as number);
}
