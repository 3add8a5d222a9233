const LENGTH = 240;
const LEAD = 60;
/** Places of each word that are looked at: the first few are enough to find a good one. */
const MAX_PLACES = 20;

/**
 * The part of a document that shows why it was found: the author's summary where it has the words, else the
 * stretch of the text with the most of them, unless that has few and there is a summary.
 *
 * @param words in lower case, as they were searched for
 */
export function passage(summary: string, text: string, words: readonly string[]): string {
  const wanted = [...new Set(words)];
  if (summary !== '' && countOf(summary.toLowerCase(), wanted) === wanted.length) return shorten(summary, 0);

  const best = bestStretch(text.toLowerCase(), wanted);
  if (summary !== '' && best.count < Math.min(2, wanted.length)) return shorten(summary, 0);
  return shorten(text, best.start);
}

function bestStretch(lower: string, words: readonly string[]): { start: number; count: number } {
  let best = { start: 0, count: 0 };
  for (const word of words) {
    let at = lower.indexOf(word);
    for (let place = 0; at !== -1 && place < MAX_PLACES; place += 1) {
      const start = Math.max(0, at - LEAD);
      const count = countOf(lower.slice(start, start + LENGTH), words);
      if (count > best.count) best = { start, count };
      at = lower.indexOf(word, at + word.length);
    }
  }
  return best;
}

/** How many of the words stand in the text, whole ones before parts of others. */
function countOf(lower: string, words: readonly string[]): number {
  let count = 0;
  for (const word of words) {
    const at = lower.indexOf(word);
    if (at === -1) continue;
    const isWhole = !isLetter(lower[at - 1]) && !isLetter(lower[at + word.length]);
    count += isWhole ? 1 : 0.5;
  }
  return count;
}

function isLetter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

/** Cuts at word boundaries, with an ellipsis where something is left out. */
function shorten(text: string, start: number): string {
  const from = start === 0 ? 0 : text.indexOf(' ', start) + 1;
  if (text.length - from <= LENGTH) return (from === 0 ? '' : '… ') + text.slice(from);
  const end = text.lastIndexOf(' ', from + LENGTH);
  return `${from === 0 ? '' : '… '}${text.slice(from, end > from ? end : from + LENGTH)} …`;
}
