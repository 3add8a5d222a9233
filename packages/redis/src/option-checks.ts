/** Throws a `TypeError` for an option that `owner` does not have, with the likely name beside it. */
export function refuseUnknownOptions(owner: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const likely = known.find((candidate) => isNear(name.toLowerCase(), candidate.toLowerCase()));
    const hint = likely === undefined ? `; there are ${known.join(', ')}` : `; did you mean "${likely}"?`;
    throw new TypeError(`${owner}: "${name}" is not an option${hint}`);
  }
}

/** Throws unless `value` is a number from `min` to `max`. */
export function requireNumber(
  owner: string,
  option: string,
  value: unknown,
  min: number,
  max: number,
  kind: 'a number' | 'an integer' = 'a number',
): void {
  const fits = typeof value === 'number' && value >= min && value <= max;
  if (fits && (kind === 'a number' || Number.isInteger(value))) return;
  throw new TypeError(`${owner}: "${option}" must be ${kind} from ${min} to ${max}, got ${shown(value)}`);
}

/** A value as an error message shows it; nothing of what is inside, which may be a password. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value === '' ? "''" : 'a string';
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value);
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** One begins with the other, or one letter is wrong, missing or too many. */
function isNear(one: string, other: string): boolean {
  if (one.length > 3 && (one.startsWith(other) || other.startsWith(one))) return true;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const [rest, otherRest] = [one.slice(same), other.slice(same)];
  return rest.slice(1) === otherRest.slice(1) || rest.slice(1) === otherRest || rest === otherRest.slice(1);
}
