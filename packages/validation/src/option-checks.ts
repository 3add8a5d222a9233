/** Throws a `TypeError` for an option that `owner` does not have, with the likely name beside it. */
export function refuseUnknownOptions(owner: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const likely = known.find((candidate) => isNear(name, candidate));
    const hint = likely === undefined ? '' : `; did you mean "${likely}"?`;
    throw new TypeError(`${owner}: "${name}" is not an option${hint}`);
  }
}

/** Throws unless `value` is a whole number of at least `min`. */
export function requireInteger(owner: string, option: string, value: unknown, min: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min) return;
  throw new TypeError(`${owner}: "${option}" must be an integer of at least ${min}, got ${shown(value)}`);
}

/** Throws unless `value` is a string with something in it. */
export function requireText(owner: string, option: string, value: unknown): void {
  if (typeof value === 'string' && value.trim() !== '') return;
  throw new TypeError(`${owner}: "${option}" must be a non-empty string, got ${shown(value)}`);
}

/** A value as an error message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** At most two letters apart, or the same but for case and underscores. */
function isNear(name: string, candidate: string): boolean {
  if (name.replace(/_/g, '').toLowerCase() === candidate.toLowerCase()) return true;
  if (Math.abs(name.length - candidate.length) > 2 || candidate.length < 4) return false;

  let row = Array.from({ length: candidate.length + 1 }, (_, i) => i);
  for (let i = 1; i <= name.length; i++) {
    const next = [i];
    for (let j = 1; j <= candidate.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (name[i - 1] === candidate[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[candidate.length] ?? Infinity) <= 2;
}
