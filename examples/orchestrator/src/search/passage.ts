const LENGTH = 240;
const LEAD = 60;

/**
 * The part of a text that shows why it was found: the author's summary where it has the words, else the
 * stretch with the most of them.
 */
export function passage(summary: string, text: string, terms: readonly string[]): string {
  const words = terms.map((term) => term.toLowerCase());
  if (summary !== '' && words.every((word) => summary.toLowerCase().includes(word))) {
    return shorten(summary, 0);
  }
  const lower = text.toLowerCase();
  let best = 0;
  let bestCount = 0;
  for (const word of words) {
    // The first few places of each word are enough to find a good one.
    let at = lower.indexOf(word);
    for (let tries = 0; at !== -1 && tries < 20; tries += 1) {
      const start = Math.max(0, at - LEAD);
      const window = lower.slice(start, start + LENGTH);
      const count = words.filter((other) => window.includes(other)).length;
      if (count > bestCount) {
        best = start;
        bestCount = count;
      }
      at = lower.indexOf(word, at + LENGTH);
    }
  }
  return bestCount === 0 && summary !== '' ? shorten(summary, 0) : shorten(text, best);
}

/** Cuts at word boundaries, with an ellipsis where something is left out. */
function shorten(text: string, start: number): string {
  const from = start === 0 ? 0 : text.indexOf(' ', start) + 1;
  if (text.length - from <= LENGTH) return (from === 0 ? '' : '… ') + text.slice(from);
  const end = text.lastIndexOf(' ', from + LENGTH);
  return `${from === 0 ? '' : '… '}${text.slice(from, end > from ? end : from + LENGTH)} …`;
}
