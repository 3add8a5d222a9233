import * as words from './scan-words.js';
import {
  afterSpaces,
  endOfWord,
  isBreaking,
  isClosing,
  isDigit,
  isHex,
  isLetter,
  isNamed,
  isOperatedOn,
  isValueStart,
  lastBefore,
  load,
  LONGEST_WORD,
  mayEndWord,
  NEAR,
  PAD,
  PIECE,
  skipBack,
  skipForward,
  UNITS,
  wordAt,
} from './scan-units.js';
import { isQuiet, PLACES, sieve } from './scan-sieve.js';
import { mark, WINDOW } from './scan-windows.js';

/**
 * The first look: one pass over the text, which says where a closer look is worth its price. Letters and spaces
 * cost a nanosecond and nothing else; at a punctuation mark or a number the words beside it are looked up. Only the
 * windows found here are judged by rules.
 */

/** What {@link scan} found. One is used again for every text. */
export interface Scan {
  /** Triples of from, to and the `FAMILY` bits of the rules that should judge it; ascending, at most `WINDOW` long. */
  readonly windows: number[];
  /** Which decodings would change the text: a set of `ENCODED` bits. */
  encoded: number;
}

export const ENCODED = {
  percent: 1,
  entity: 2,
  escape: 4,
  lookalike: 8,
  control: 16,
  newline: 32,
  null: 64,
} as const;

const { ALWAYS, BROKEN, CALLED, COLON, COMMAND, FILE, OWNER, PART, TAG, WHOM } = words;
const places = PLACES;
const units = UNITS;
const { FAMILY } = words;
const { sql: SQL, xss: XSS, path: PATH, command: SHELL, template: TEMPLATE } = FAMILY;

/** Written without any punctuation, and still an attack. */
const SHORTEST_UNION = 'union select'.length;

/** Looks through `text`, at most `PIECE` long, and leaves in `into` what is worth judging. */
export function scan(text: string, into: Scan): void {
  const length = Math.min(text.length, PIECE);
  const { windows } = into;
  windows.length = 0;
  into.encoded = 0;
  load(text);
  const end = PAD + length;

  const first = firstWordMatters(PAD);
  if (first !== 0) mark(windows, 0, length, first);
  if (hasLineBreak(text)) {
    into.encoded |= ENCODED.newline;
    // In a longer text a word at the beginning of a line is just that.
    if (length <= WINDOW && commandBeginsLine(end)) mark(windows, 0, length, FAMILY.all);
  }
  // What is behind the last `union`: windows are marked in the order of their places.
  let union = Infinity;
  const count = sieve(PAD, end);
  for (let i = 0; i < count; i++) {
    const at = places[i] as number;
    if (at >= union) {
      mark(windows, union - PAD, text.length, SQL);
      union = Infinity;
    }
    if (isQuiet(at)) continue;
    const families = placeMatters(at, into, PAD, length);
    if (families === 0) continue;
    if (families !== UNION) mark(windows, at - PAD, length, families);
    else if (length > SHORTEST_UNION) union = at + 2;
  }
  if (union < end) mark(windows, union - PAD, text.length, SQL);
}

/** Whom the word at the beginning of a text is worth a closer look to. */
export function firstWordMatters(start: number): number {
  const slot = wordAt(skipForward(start), BROKEN | COMMAND);
  return slot === 0 ? 0 : (WHOM[slot] as number);
}

export function hasLineBreak(text: string): boolean {
  return text.includes('\n') || text.includes('\r');
}

function commandBeginsLine(end: number): boolean {
  for (let at = PAD; at < end; at++)
    if ((units[at] === 10 || units[at] === 13) && after(at, COMMAND) !== 0) return true;
  return false;
}

/** What {@link placeMatters} says of the end of `union`, which matters to SQL without any mark. */
const UNION = -1;

/**
 * Whom a place is worth a closer look to, 0 for nobody; notes the encodings on the way. The text begins at `start`.
 */
export function placeMatters(at: number, into: Scan, start: number, length: number): number {
  const code = units[at] as number;
  if (isDigit(code)) return numberMatters(at + 1);
  if ((code | 32) === 110) return isUnion(at) ? UNION : 0;
  if (code > 127) into.encoded |= ENCODED.lookalike;
  return markMatters(at, into, start, length);
}

/** Whether the n at `at` is the last letter of `union`, or of `unUNION`, which some filter makes that of. */
function isUnion(at: number): boolean {
  return (
    ((units[at - 1] as number) | 32) === 111 &&
    ((units[at - 2] as number) | 32) === 105 &&
    ((units[at - 3] as number) | 32) === 110 &&
    ((units[at - 4] as number) | 32) === 117
  );
}

/**
 * Whom a punctuation mark is worth a closer look to, 0 for nobody; notes the encodings on the way. The text begins at
 * `start`.
 */
function markMatters(at: number, into: Scan, start: number, length: number): number {
  const next = units[at + 1] as number;
  switch (units[at] as number) {
    case 39: // '
    case 34: // "
      // don't, O'Brien's: nothing that anybody breaks out with.
      if (PART[next] !== 0 && PART[units[at + 2] as number] === 0 && isLetter(units[at - 1] as number))
        return 0;
      return (
        quoteMatters(at, start) | afterQuote(at, length) | before(at, ALWAYS | OWNER) | quotedHandler(at)
      );
    case 96: // `
      return quoteMatters(at, start) | after(at, COMMAND) | before(at, CALLED);
    case 60: // <
      if (next === 33 || next === 63 || next === 37 || (next < 32 && next !== 10 && next !== 13))
        return XSS | TEMPLATE;
      return after(at, TAG);
    case 61: // =
      return isHandler(at) ? XSS : after(at, BROKEN) | before(at, OWNER);
    case 46: // .
      if (next === 0xfffd || (next === 46 && dotsMatter(at))) return PATH;
      return PART[next] !== 0 ? before(at, OWNER | ALWAYS) | after(at, FILE) : 0;
    case 91: // [
    case 93: // ]
      return before(at, OWNER);
    case 58: // :
      return before(at, COLON);
    case 40: // (
      return before(at, CALLED | ALWAYS) | after(at, COMMAND);
    case 41: // )
      return isClosing(units[at - 1] as number) || next === 123
        ? after(at, BROKEN) | (next === 123 ? SHELL : 0)
        : after(at, BROKEN, true);
    case 47: // /
      if (next === 42)
        return isBreaking(lastBefore(at)) || units[at + 2] === 42 || units[at + 2] === 33 ? SQL | XSS : 0;
      return after(at, FILE);
    case 92: // \
      if (isDigit(next) || (next | 32) === 117 || (next | 32) === 120 || next === 110 || next === 114)
        into.encoded |= ENCODED.escape;
      return next === 46 ? PATH : after(at, FILE) | after(at, BROKEN);
    case 45: // -
      return next === 45 && isBreaking(lastBefore(at)) ? SQL : 0;
    case 123: // {
      if (next === 123 || next === 37 || units[at - 1] === 36 || units[at - 1] === 35)
        return TEMPLATE | SHELL | XSS;
      return after(at, COMMAND);
    case 36: // $
      return next === 40 || next === 123 || next === 95 || next === 73 || next === 105 ? SHELL | TEMPLATE : 0;
    case 37: // %
      if (isHex(next) ? isHex(units[at + 2] as number) : (next | 32) === 117) into.encoded |= ENCODED.percent;
      // %c0%qf: bytes that only a broken decoder understands.
      return units[at - 3] === 37 && next > 57 && (next | 32) > 102 && (next | 32) < 123 ? PATH : 0;
    case 38: // &
      if (next === 35 || isNamed(at + 1)) into.encoded |= ENCODED.entity;
      return after(at, BROKEN | COMMAND);
    case 35: // #
      return next === 123 ? TEMPLATE : after(at, BROKEN);
    case 59: // ;
    case 124: // |
      return after(at, BROKEN | COMMAND);
    case 33: // !
      return units[at - 1] === 60 ? after(at, TAG) : 0;
    case 95: // _
      // Once a word: at its first underscore.
      return units[at - 1] !== 95 && PART[next] !== 0 ? around(at) : 0;
    case 9:
    case 10:
    case 13:
      // What these mean is for the text as a whole.
      return 0;
    case 0:
      into.encoded |= ENCODED.null;
      return 0;
    default:
      if ((units[at] as number) < 32) into.encoded |= ENCODED.control;
      return 0;
  }
}

/** A number: what follows may go on as if a value had ended here. */
function numberMatters(end: number): number {
  if ((units[end] as number) === 120 && units[end - 1] === 48 && isHexMark(end)) return PATH;
  return after(end - 1, BROKEN, true);
}

/** Those whom the word behind `at` matters to, if it is listed for one of `when`; with a value behind it, if asked. */
function after(at: number, when: number, valued = false): number {
  const start = skipForward(at + 1);
  const slot = wordAt(start, when);
  if (slot === 0) return 0;
  if (valued && !isValueStart(endOfWord(start))) return 0;
  return WHOM[slot] as number;
}

/**
 * What follows a quote. In a longer text, prose with quotations in it, more has to look like code than one word:
 * a value behind it, or a name and an operator.
 */
function afterQuote(at: number, length: number): number {
  const families = after(at, BROKEN | COMMAND);
  if (families === 0 || length <= WINDOW) return families;
  const end = endOfWord(skipForward(at + 1));
  return isValueStart(end) || isOperatedOn(skipForward(end)) ? families : 0;
}

/** Those whom the word before `at` matters to. */
function before(at: number, when: number): number {
  const end = skipBack(at);
  if (!mayEndWord(end, when)) return 0;
  let start = end;
  while (PART[units[start - 1] as number] !== 0 && end - start <= LONGEST_WORD) start -= 1;
  if (end - start < 2) return 0;
  const slot = wordAt(start, when);
  return slot === 0 ? 0 : (WHOM[slot] as number);
}

/** Those whom the word around the underscore at `at` matters to. */
function around(at: number): number {
  let start = at;
  while (PART[units[start - 1] as number] !== 0 && at - start <= LONGEST_WORD) start -= 1;
  const slot = wordAt(start, ALWAYS);
  return slot === 0 ? 0 : (WHOM[slot] as number);
}

/** The equals sign at `at` belongs to a word such as `onerror`. */
function isHandler(at: number): boolean {
  let end = at;
  for (
    let steps = 0;
    steps < NEAR && ((units[end - 1] as number) <= 32 || units[end - 1] === 47) && end > PAD;
    steps++
  )
    end -= 1;
  let start = end;
  while (PART[units[start - 1] as number] !== 0 && end - start <= LONGEST_WORD) start -= 1;
  return (
    end - start > 3 && ((units[start] as number) | 32) === 111 && ((units[start + 1] as number) | 32) === 110
  );
}

/** `" onfocus`: seen from the quote, since what follows may be encoded. */
function quotedHandler(at: number): number {
  const start = skipForward(at + 1);
  return ((units[start] as number) | 32) === 111 &&
    ((units[start + 1] as number) | 32) === 110 &&
    afterSpaces(endOfWord(start)) === 61
    ? XSS
    : 0;
}

/** `0x2e`, `0x2f`, `0x5c`: what separates folders, spelled out; `at` is the x. */
function isHexMark(at: number): boolean {
  const high = units[at + 1];
  const low = (units[at + 2] as number) | 32;
  return (high === 50 && (low === 101 || low === 102)) || (high === 53 && low === 99);
}

/** A quote that something follows which only code puts there. */
function quoteMatters(at: number, start: number): number {
  let i = at + 1;
  for (let steps = 0; steps < NEAR; steps++, i++) {
    const code = units[i];
    if (code !== 32 && code !== 41 && code !== 43) break;
  }
  const next = units[i + 1] as number;
  switch (units[i] as number) {
    case 45: // -
      return next === 45 || isValueStart(i + 1) || (PART[next] !== 0 && i === at + 1) ? SQL | XSS : 0;
    case 35: // #
    case 124: // |
      return SQL;
    case 47: // /
      return next === 42 || next === 47 ? SQL | XSS : 0;
    case 59: // ;
      return next === 32 || PART[next] !== 0 || next === 45 || next === 47 || next === 35 ? SQL | XSS : 0;
    case 62: // >
      return at - start < 64 ? XSS : 0;
    case 61: // =
    case 60: // <
    case 33: // !
    case 42: // *
    case 94: // ^
    case 38: // &
    case 37: // %
      return isValueStart(i + 1) || next === 61 ? SQL | XSS : 0;
    default:
      // 'a' + 'b' was skipped above; what counts is what is added.
      return units[at + 1] === 43 && isValueStart(at + 2) ? SQL | XSS : 0;
  }
}

/** Two dots at `at`: part of a way up, not of an ellipsis. */
function dotsMatter(at: number): boolean {
  const previous = units[at - 1];
  if (previous === 47 || previous === 92) return true;
  const next = units[at + 2];
  // / \ ; % ? and what remains of %2f and 0x2f
  return (
    next === 47 ||
    next === 92 ||
    next === 59 ||
    next === 48 ||
    next === 50 ||
    next === 37 ||
    next === 63 ||
    next === 0xfffd
  );
}
