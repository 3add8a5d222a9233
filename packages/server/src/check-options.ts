/**
 * Refuses option names that do not exist, with the one that was probably meant.
 *
 * @throws {TypeError} such as `serve: "prot" is not an option; did you mean "port"?`
 */
export function refuseUnknownOptions(caller: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = known.find((candidate) => isCloseTo(name.toLowerCase(), candidate.toLowerCase()));
    const hint = meant === undefined ? `the options are ${known.join(', ')}` : `did you mean "${meant}"?`;
    throw new TypeError(`${caller}: "${name}" is not an option; ${hint}`);
  }
}

/** One is the beginning of the other (a unit left out), or they are two edits apart. */
function isCloseTo(name: string, candidate: string): boolean {
  const shared = Math.min(name.length, candidate.length);
  if (shared >= 4 && name.slice(0, shared) === candidate.slice(0, shared)) return true;
  return editDistance(name, candidate) <= 2;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** @throws {TypeError} when `value` is not an integer in the range */
export function requireInteger(
  caller: string,
  option: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const wanted =
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  throw new TypeError(`${caller}: "${option}" must be ${wanted}, got ${shown(value)}`);
}

/** The longest that Node's timers can wait: 2^31 - 1 milliseconds, some 24 days. */
const MAX_TIMER_MS = 2_147_483_647;

/** @throws {TypeError} when `value` is not a number of milliseconds that a timer can wait */
export function requireMilliseconds(caller: string, option: string, value: unknown, min: number): void {
  requireInteger(caller, option, value, min, MAX_TIMER_MS);
}

/** How a bad value is shown in a message: short, and strings in quotes. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
