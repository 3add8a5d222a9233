/**
 * Refuses option names that the function does not know: a misspelt `slowMS` would otherwise mean the
 * default, in silence.
 */
export function requireKnownNames(functionName: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = known.find((candidate) => isClose(name.toLowerCase(), candidate.toLowerCase()));
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`;
    throw new TypeError(`${functionName}: unknown option "${name}", ${hint}`);
  }
}

export function requireOption(fits: boolean, option: string, wanted: string, got: unknown): void {
  if (fits) return;
  throw new TypeError(`${option} must be ${wanted}, got ${describe(got)}`);
}

/** A threshold in milliseconds: above 0, or `Infinity` for never. */
export function requireSlowMs(functionName: string, slowMs: unknown): void {
  const fits = typeof slowMs === 'number' && slowMs > 0;
  requireOption(fits, `${functionName}: "slowMs"`, 'a number of milliseconds above 0', slowMs);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}

/** One letter more, less or other, or two neighbours swapped. */
function isClose(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const restA = a.slice(start, endA);
  const restB = b.slice(start, endB);
  if (restA.length <= 1 && restB.length <= 1) return true;
  return restA.length === 2 && restA === `${restB[1] ?? ''}${restB[0] ?? ''}`;
}
