import { endOfDigits, eventAt, EVENTS, nextEvent } from './scan-events.js';
import { firstWordMatters, markMatters, numberMatters, type Scan } from './scan.js';
import { isQuiet } from './scan-quiet.js';
import { load, PAD, PIECE, UNITS } from './scan-units.js';
import { WINDOW } from './scan-windows.js';

/**
 * Short texts, such as the fields of a long list, looked through together. One at a time they cost more than what is
 * read of them; few are worth a closer look, and only those are judged, each on its own and as ever.
 */

/** A text up to this length may be looked through with others. */
export const SHORT: number = WINDOW;
/** Together they may be so long, with a zero behind each. */
export const TOGETHER: number = PIECE;

const { digit: DIGIT, mark: MARK } = EVENTS;
const units = UNITS;
const UNION = /union[\s(/]/gi;
const noted: Scan = { windows: [], encoded: 0 };

/** Which of the texts a scan of each alone would find something in, or perhaps: 1 for those. */
export function suspectsAmong(texts: readonly string[]): Uint8Array {
  const suspects = new Uint8Array(texts.length);
  // A zero ends whatever is looked up beside a mark, as it does behind a text that stands alone.
  const joined = texts.join('\0');
  load(joined);
  const end = PAD + joined.length;
  let index = -1;
  let border = PAD - 1;

  for (let i = border; i < end; i = nextEvent(i + 1, end)) {
    if (i === border) {
      index += 1;
      border += (texts[index] as string).length + 1;
      if (firstWordMatters(i + 1) !== 0) suspects[index] = 1;
      continue;
    }
    const event = eventAt(i);
    if (event === DIGIT) {
      i = endOfDigits(i) - 1;
      if (numberMatters(i + 1) === 0) continue;
    } else if (event === MARK && !isNoted(i, texts[index] as string, border)) continue;
    suspects[index] = 1;
    // Its end comes next.
    i = border - 1;
  }
  suspectUnions(joined, texts, suspects);
  return suspects;
}

/** Whether the mark at `at` is worth a closer look, or means that the text is encoded or broken. */
function isNoted(at: number, text: string, end: number): boolean {
  // A tag, and a tab that may split a scheme in it.
  if (units[at] === 60 && text.includes('\t')) return true;
  if (isQuiet(at)) return false;
  noted.encoded = 0;
  return markMatters(at, noted, end - text.length, text.length) !== 0 || noted.encoded !== 0;
}

/** `union` matters without any mark. */
function suspectUnions(joined: string, texts: readonly string[], suspects: Uint8Array): void {
  let index = 0;
  let end = (texts[0] as string).length;
  UNION.lastIndex = 0;
  while (UNION.test(joined)) {
    while (end < UNION.lastIndex) {
      index += 1;
      end += (texts[index] as string).length + 1;
    }
    suspects[index] = 1;
    // The rest of that text tells no more.
    UNION.lastIndex = end;
  }
}
