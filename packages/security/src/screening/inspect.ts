/* oxlint-disable no-control-regex -- control characters are what is looked for */
import { shown } from '@signalbox/options';
import { judgeCommand } from './commands.js';
import { entityDecode, escapeDecode, foldLookalikes, percentDecode } from './decode.js';
import { judgeHeaderFields } from './header-fields.js';
import { KINDS, type ScreeningKind, THRESHOLD } from './kinds.js';
import { judgePath } from './paths.js';
import { ENCODED, type Scan, scan } from './scan.js';
import { PIECE } from './scan-units.js';
import { FAMILY } from './scan-words.js';
import { judgeSql } from './sql.js';
import { type RuleId, Tally } from './tally.js';
import { judgeTemplate } from './templates.js';
import { judgeXss } from './xss.js';

export interface InspectOptions {
  /**
   * What the field is for.
   * @default 'text'
   */
  kind?: ScreeningKind | undefined;
  /**
   * Line breaks belong here, as in a text area.
   * @default false
   */
  multiline?: boolean | undefined;
}

/** What screening found in a request. */
export interface Inspection {
  /** Whether `enforce` would refuse it. */
  readonly refused: boolean;
  /** The sum of the findings in the worst place of the text. */
  readonly score: number;
  readonly findings: readonly { readonly rule: RuleId; readonly score: number }[];
}

/** Longer texts are judged in pieces, so that nothing of that size is ever copied. */
const SHARED = 384;
/** How often percent-encoding is undone: an attack is encoded twice to pass a filter that decodes once. */
const MAX_ROUNDS = 2;
/** In a longer text, such as a document with code in it, weak findings come together by chance. */
const LONG = 1_024;

// Judging is synchronous, so one of each serves all.
const found: Scan = { windows: [], encoded: 0 };
const whole = new Tally();
const window = new Tally();
const worst = new Tally();

/**
 * What the rules find in one text. Pure: for tests of what your users write.
 *
 * @throws {TypeError} when `text` is no string or `kind` is unknown
 *
 * @example
 * inspect("1' or '1'='1").refused; // true
 * inspect('how to use a <script> tag', { kind: 'search' }).refused; // false
 */
export function inspect(text: string, { kind = 'text', multiline = false }: InspectOptions = {}): Inspection {
  if (typeof text !== 'string') throw new TypeError(`inspect: "text" must be a string, got ${shown(text)}`);
  if (!KINDS.includes(kind))
    throw new TypeError(`inspect: "kind" must be one of ${KINDS.join(', ')}, got ${shown(kind)}`);
  const tally = judgeText(text, kind, multiline);
  return { refused: tally.score >= THRESHOLD[kind], score: tally.score, findings: tally.findings() };
}

/** Judges a text. What it returns is valid until the next call. */
export function judgeText(text: string, kind: ScreeningKind, multiline: boolean): Tally {
  worst.clear();
  if (kind === 'code') {
    if (text.includes('\0')) worst.add('null.byte', 5);
    return worst;
  }
  if (text.length <= PIECE) judgePiece(text, kind, multiline, true, 0);
  else {
    for (let from = 0; from < text.length; from += PIECE - SHARED) {
      judgePiece(text.slice(from, from + PIECE), kind, multiline, from === 0, 0);
      if (worst.score >= THRESHOLD[kind]) break;
    }
  }
  return worst;
}

function judgePiece(
  text: string,
  kind: ScreeningKind,
  multiline: boolean,
  atStart: boolean,
  rounds: number,
): void {
  judgeForm(text, kind, multiline, atStart, rounds > 0);
  // Read before the next form overwrites it.
  const { encoded } = found;
  if (worst.score >= THRESHOLD[kind]) return;

  if (
    (encoded & (ENCODED.entity | ENCODED.escape | ENCODED.lookalike | ENCODED.control)) !== 0 ||
    isSplit(text, encoded)
  ) {
    let plain = text;
    if ((encoded & ENCODED.lookalike) !== 0) plain = foldLookalikes(plain);
    if ((encoded & ENCODED.entity) !== 0) plain = entityDecode(plain);
    if ((encoded & ENCODED.escape) !== 0) plain = escapeDecode(plain);
    // Browsers skip control characters inside of names and schemes.
    if ((encoded & ENCODED.control) !== 0) plain = plain.replace(CONTROLS, '');
    if (hasSplitScheme(plain)) plain = plain.replace(BREAKS, '');
    if (plain !== text) judgeForm(plain, kind, multiline, atStart, true);
    if (worst.score >= THRESHOLD[kind]) return;
  }
  if ((encoded & ENCODED.percent) !== 0 && rounds < MAX_ROUNDS) {
    const decoded = percentDecode(text);
    if (decoded !== text) judgePiece(decoded, kind, multiline, atStart, rounds + 1);
  }
}

const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

/** A scheme with a tab or a line break in it, which browsers take out: `java`, a tab, `script:`. */
const SPLIT_SCHEME = /[\t\r\n]\s{0,4}(?:[a-z]\s{0,4}){0,9}(?:t\s{0,4}):/i;
const BREAKS = /[\t\r\n]/g;

function isSplit(text: string, encoded: number): boolean {
  return (
    text.includes('<') && ((encoded & ENCODED.newline) !== 0 || text.includes('\t')) && hasSplitScheme(text)
  );
}

/** Longer than any match. */
const SPLIT_LENGTH = 64;

/** Asks the colons, of which there are fewer than line breaks, and what is before them. */
function hasSplitScheme(text: string): boolean {
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1))
    if (
      isBehindBreak(text, colon) &&
      SPLIT_SCHEME.test(text.slice(Math.max(0, colon - SPLIT_LENGTH), colon + 1))
    )
      return true;
  return false;
}

/** A t before the colon, and before that a break with nothing but letters and spaces between. */
function isBehindBreak(text: string, colon: number): boolean {
  let letters = 0;
  for (let at = colon - 1; at >= 0 && at > colon - SPLIT_LENGTH; at--) {
    const code = text.charCodeAt(at);
    if ((code === 9 || code === 10 || code === 13) && letters > 0) return true;
    if (code <= 32 || code >= 0xa0) continue;
    const letter = code | 32;
    if (letter < 97 || letter > 122 || (letters === 0 && letter !== 116)) return false;
    letters += 1;
  }
  return false;
}

/** Judges a text in one of its forms. */
function judgeForm(
  text: string,
  kind: ScreeningKind,
  multiline: boolean,
  atStart: boolean,
  decoded: boolean,
): void {
  scan(text, found);
  const { windows, encoded } = found;
  whole.clear();
  judgeWhole(text, kind, multiline, encoded, decoded);
  worst.keepWorse(whole);
  for (let i = 0; i < windows.length; i += 3) {
    const from = windows[i] as number;
    window.clear();
    judgeWindow(
      text.slice(from, windows[i + 1]).toLowerCase(),
      windows[i + 2] as number,
      kind,
      atStart && from === 0,
      decoded,
    );
    if (window.score === 0) continue;
    window.include(whole);
    if (text.length > LONG && !window.isConclusive()) continue;
    worst.keepWorse(window);
    if (worst.score >= THRESHOLD[kind]) return;
  }
}

function judgeWindow(
  text: string,
  families: number,
  kind: ScreeningKind,
  atStart: boolean,
  decoded: boolean,
): void {
  if ((families & FAMILY.sql) !== 0) judgeSql(text, atStart, window);
  if ((families & FAMILY.xss) !== 0) judgeXss(text, atStart, kind, window);
  if ((families & FAMILY.path) !== 0) judgePath(text, atStart, decoded, kind, window);
  if ((families & FAMILY.command) !== 0) judgeCommand(text, atStart, window);
  if ((families & FAMILY.template) !== 0) judgeTemplate(text, window);
}

/** What does not depend on a place in the text. */
function judgeWhole(
  text: string,
  kind: ScreeningKind,
  multiline: boolean,
  encoded: number,
  decoded: boolean,
): void {
  if ((encoded & ENCODED.null) !== 0) whole.add('null.byte', decoded ? 4 : 5);
  if ((encoded & ENCODED.newline) !== 0) judgeHeaderFields(text, !multiline, whole);
  if (kind === 'strict' && STRICT.test(text)) whole.add('strict.character', 3);
}

const STRICT = /['"`<>;|$\\(){}\0-\x1f]/;
