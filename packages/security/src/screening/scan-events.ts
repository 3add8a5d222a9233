import { UNITS } from './scan-units.js';

/** Which characters of a text a scan stops at. */

const units = UNITS;

/** What is done at a character; nothing at most. */
const EVENT = new Uint8Array(65_536);
export const EVENTS = { nothing: 0, digit: 1, mark: 2, lookalike: 3 } as const;
const { nothing: NOTHING, digit: DIGIT, mark: MARK, lookalike: LOOKALIKE } = EVENTS;
for (let code = 0; code < 32; code++) EVENT[code] = MARK;
for (const char of '\'"`<>=.:/\\-{}$%&#;|()[]!_?') EVENT[char.charCodeAt(0)] = MARK;
for (const char of '0123456789') EVENT[char.charCodeAt(0)] = DIGIT;
for (const char of ' \t,') EVENT[char.charCodeAt(0)] = NOTHING;
// Full-width punctuation is normal in Chinese and Japanese; full-width letters and signs of code are not.
for (let code = 0xff21; code <= 0xff5a; code++) if (code <= 0xff3a || code >= 0xff41) EVENT[code] = LOOKALIKE;
for (const char of '\uFF1C\uFF1E\uFF07\uFF02\uFF0E\uFF0F\u2024\u2025\u2215\u2044\u2216\uFE68\uFE64\uFE65\u2039\u203A\u3008\u3009\u02BC\u02B9\u560A\u560D\uEFC8\uF025') {
  EVENT[char.charCodeAt(0)] = LOOKALIKE;
}

// A function of its own: optimized once, whatever the rare branches around it turn out to do.
export function nextEvent(from: number, end: number): number {
  let i = from;
  while (i < end && EVENT[units[i] as number] === NOTHING) i += 1;
  return i;
}

/** What is to be done at the character at `at`. */
export function eventAt(at: number): number {
  return EVENT[units[at] as number] as number;
}

export function endOfDigits(from: number): number {
  let i = from + 1;
  while (EVENT[units[i] as number] === DIGIT) i += 1;
  return i;
}
