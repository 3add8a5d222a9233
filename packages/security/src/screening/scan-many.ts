import { firstWordMatters, hasLineBreak, placeMatters, type Scan } from './scan.js';
import { isQuiet, PLACES, sieve } from './scan-sieve.js';
import { load, PAD, PIECE } from './scan-units.js';
import { WINDOW } from './scan-windows.js';

/**
 * Short texts, such as the fields of a long list, looked through together. One at a time they cost more than what is
 * read of them; few are worth a closer look, and only those are judged, each on its own and as ever.
 */

/** A text up to this length may be looked through with others. */
export const SHORT: number = WINDOW;
/** Together they may be so long, with a zero behind each. */
export const TOGETHER: number = PIECE;

const places = PLACES;
const noted: Scan = { windows: [], encoded: 0 };

/** Which of the texts a scan of each alone would find something in, or perhaps: 1 for those. */
export function suspectsAmong(texts: readonly string[]): Uint8Array {
  const suspects = new Uint8Array(texts.length);
  // A zero ends whatever is looked up beside a mark, as it does behind a text that stands alone.
  const joined = texts.join('\0');
  load(joined);
  const count = sieve(PAD, PAD + joined.length);
  // A tag, and a tab that may split a scheme in it.
  const isTabbed = joined.includes('\t') && joined.includes('<');
  const isBroken = hasLineBreak(joined);
  let next = 0;
  let end = PAD - 1;
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index] as string;
    const start = end + 1;
    end = start + text.length;
    let isSuspect =
      firstWordMatters(start) !== 0 ||
      (isBroken && hasLineBreak(text)) ||
      (isTabbed && text.includes('\t') && text.includes('<'));
    // The zero behind it is a place, too.
    for (; next < count && (places[next] as number) <= end; next++)
      isSuspect ||= (places[next] as number) < end && isNoted(places[next] as number, text, start);
    if (isSuspect) suspects[index] = 1;
  }
  return suspects;
}

/** Whether the place at `at` is worth a closer look, or means that the text is encoded or broken. */
function isNoted(at: number, text: string, start: number): boolean {
  if (isQuiet(at)) return false;
  noted.encoded = 0;
  return placeMatters(at, noted, start, text.length) !== 0 || noted.encoded !== 0;
}
