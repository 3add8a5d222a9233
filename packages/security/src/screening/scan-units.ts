import { Buffer } from 'node:buffer';
import * as words from './scan-words.js';
import { hashStep, slotOf, threeOf } from './scan-words.js';

// An imported or exported table is fetched anew at each use, and a constant of the module's own is compiled in. That
// is half of the time of a scan: hence the second names, here and in scan.ts.
const { BEGINNINGS, ENDINGS, PART, WHEN } = words;

/** The text that is scanned, as numbers, and what is looked up around a place in it. */

/** The longest text that is scanned at once. */
export const PIECE = 8_192;

/** How far one looks past spaces and brackets for what a word belongs to. */
export const NEAR = 8;
export const LONGEST_WORD = 24;

// A typed array is read several times as fast as a string, whose kind is looked up for every character. There are
// zeros before and behind the text, so that looking beside a character needs no check.
export const PAD = 32;
const units = new Uint16Array(PAD + PIECE + PAD);
export const UNITS: Uint16Array = units;
const bytes = Buffer.from(units.buffer, PAD * 2);
const SHORT = 80;
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function load(text: string): void {
  const length = Math.min(text.length, PIECE);
  // The call costs as much as a short text.
  if (LITTLE_ENDIAN && length > SHORT) bytes.write(text, 'utf16le');
  else for (let i = 0; i < length; i++) units[PAD + i] = text.charCodeAt(i);
  // Nothing is looked up further behind a zero than this.
  for (let i = PAD + length; i < PAD + length + 8; i++) units[i] = 0;
}

/** The slot of the word that begins at `start`; 0 when none does, or it is not listed for one of `when`. */
export function wordAt(start: number, when: number): number {
  if (!mayBeginWord(start, when)) return 0;
  let hash = 0;
  let i = start;
  for (; PART[units[i] as number] !== 0; i++) {
    if (i - start === LONGEST_WORD) return 0;
    hash = hashStep(hash, units[i] as number);
  }
  if (i === start) return 0;
  const slot = slotOf(hash);
  return ((WHEN[slot] as number) & when) === 0 ? 0 : slot;
}

/** Whether a word that is listed for one of `when` may begin at `start`: few begin like one. */
export function mayBeginWord(start: number, when: number): boolean {
  const three = threeOf(
    PART[units[start] as number] as number,
    PART[units[start + 1] as number] as number,
    PART[units[start + 2] as number] as number,
  );
  return ((BEGINNINGS[three] as number) & when) !== 0;
}

/** Whether one may end before `end`. */
export function mayEndWord(end: number, when: number): boolean {
  const three = threeOf(
    PART[units[end - 3] as number] as number,
    PART[units[end - 2] as number] as number,
    PART[units[end - 1] as number] as number,
  );
  return ((ENDINGS[three] as number) & when) !== 0;
}

export function endOfWord(start: number): number {
  let i = start;
  while (PART[units[i] as number] !== 0) i += 1;
  return i;
}

/** Past spaces, quotes' brackets and what stands for a space in a query. */
export function skipForward(from: number): number {
  let i = from;
  for (let steps = 0; steps < NEAR; steps++, i++) {
    const code = units[i] as number;
    if (!isSpace(code) && code !== 41 && code !== 43) break;
  }
  return i;
}

/** Where what is before `at` ends, past spaces. */
export function skipBack(at: number): number {
  let end = at;
  for (let steps = 0; steps < NEAR && isSpace(units[end - 1] as number); steps++) end -= 1;
  return end;
}

/** A name at `start`, and something that is done with it. */
export function isOperatedOn(start: number): boolean {
  const next = afterSpaces(endOfWord(start));
  return (
    next === 61 || next === 60 || next === 62 || next === 40 || next === 33 || next === 39 || isDigit(next)
  );
}

export function isLetter(code: number): boolean {
  return (code | 32) >= 97 && (code | 32) <= 122;
}

/** The character before `at` that is no space and no bracket. */
export function lastBefore(at: number): number {
  let i = at - 1;
  for (let steps = 0; steps < NEAR && (isSpace(units[i] as number) || units[i] === 41); steps++) i -= 1;
  return units[i] as number;
}

/** The next character that is no space. */
export function afterSpaces(at: number): number {
  let i = at;
  for (let steps = 0; steps < NEAR && isSpace(units[i] as number); steps++) i += 1;
  return units[i] as number;
}

export const isSpace: (code: number) => boolean = (code) =>
  code === 32 || (code < 14 && code > 8) || code === 0xa0;
export const isDigit: (code: number) => boolean = (code) => code >= 48 && code <= 57;
export const isHex: (code: number) => boolean = (code) =>
  isDigit(code) || ((code | 32) >= 97 && (code | 32) <= 102);
export const isClosing: (code: number) => boolean = (code) => code === 39 || code === 34 || code === 41;

/** What may end a value: a quote, a number, a semicolon, a hash. */
export const isBreaking: (code: number) => boolean = (code) =>
  code === 39 || code === 34 || isDigit(code) || code === 59 || code === 35 || code === 61;

/** A value, as code writes one: a number, a quote, a bracket, a sign, a variable, a comment. */
export function isValueStart(at: number): boolean {
  const next = afterSpaces(at);
  return (
    isDigit(next) ||
    next === 40 ||
    next === 39 ||
    next === 34 ||
    next === 33 ||
    next === 126 ||
    next === 47 ||
    next === 64 ||
    next === 43
  );
}

/** `lt;` and its like: letters, then a semicolon. */
export function isNamed(at: number): boolean {
  let i = at;
  while (PART[units[i] as number] !== 0 && i - at < 9) i += 1;
  return i > at && units[i] === 59;
}
