/** Throws a `TypeError` for an option that `owner` does not have, with the likely name beside it. */
export function refuseUnknownOptions(owner: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const likely = known.find((candidate) => isNear(name, candidate));
    const hint =
      likely === undefined ? `; the options are ${known.join(', ')}` : `; did you mean "${likely}"?`;
    throw new TypeError(`${owner}: "${name}" is not an option${hint}`);
  }
}

/** Throws unless `value` is an object with options in it. */
export function requireObject(owner: string, option: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw wrong(owner, option, 'an object', value);
}

/** Throws unless `value` is a whole number from `min` to `max`. */
export function requireInteger(
  owner: string,
  option: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const wanted =
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  throw wrong(owner, option, wanted, value);
}

/** Throws unless `value` is true or false. */
export function requireBoolean(owner: string, option: string, value: unknown): void {
  if (typeof value !== 'boolean') throw wrong(owner, option, 'true or false', value);
}

/** Throws unless `value` is a function. */
export function requireFunction(owner: string, option: string, value: unknown): void {
  if (typeof value !== 'function') throw wrong(owner, option, 'a function', value);
}

/** Throws unless `value` is one of `choices`. */
export function requireOneOf(
  owner: string,
  option: string,
  value: unknown,
  choices: readonly (string | number)[],
): void {
  if (choices.includes(value as string)) return;
  throw wrong(owner, option, choices.map((choice) => JSON.stringify(choice)).join(' or '), value);
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Throws unless `value` is a list of tokens (RFC 9110 section 5.6.2), such as header names or methods. */
export function requireTokens(owner: string, option: string, value: unknown, wanted: string): void {
  if (!Array.isArray(value)) throw wrong(owner, option, `a list of ${wanted}`, value);
  for (const each of value as readonly unknown[]) {
    if (typeof each !== 'string' || !TOKEN.test(each))
      throw wrong(owner, option, `a list of ${wanted}`, each);
  }
}

export function wrong(owner: string, option: string, wanted: string, got: unknown): TypeError {
  return new TypeError(`${owner}: "${option}" must be ${wanted}, got ${shown(got)}`);
}

/** A value as an error message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** At most two letters apart, or the same but for case and underscores, or one without the other's unit. */
function isNear(name: string, candidate: string): boolean {
  const [a, b] = [name.replaceAll('_', '').toLowerCase(), candidate.toLowerCase()];
  if (a === b || (a.length >= 4 && (b.startsWith(a) || a.startsWith(b)))) return true;
  if (Math.abs(a.length - b.length) > 2 || b.length < 4) return false;

  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[b.length] ?? Infinity) <= 2;
}
