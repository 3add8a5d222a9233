import { createHash } from 'node:crypto';

/** Half of every list was looked at while the rules were written; the figures come from the other half. */
export type Half = 'developed' | 'held out';

function halfOf(text: string): Half {
  const [first = 0] = createHash('md5').update(text).digest();
  return first % 2 === 0 ? 'developed' : 'held out';
}

/** Each text once, of one half or of both. */
export function partOf(texts: readonly string[], half: Half | 'both'): string[] {
  const unique = [...new Set(texts)];
  return half === 'both' ? unique : unique.filter((text) => halfOf(text) === half);
}
