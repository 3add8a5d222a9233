/**
 * Messages read `upstreams: "searxng.timeoutMs" must be …`. `at` is such a message up to the option's
 * name, the opening quote included; `option` its name, or `''` for the thing itself.
 */
function quoted(at: string, option: string): string {
  return option === '' ? `${at}"` : `${at}.${option}"`;
}

export interface NumberBounds {
  integer?: boolean | undefined;
  min?: number | undefined;
  max?: number | undefined;
  above?: number | undefined;
  below?: number | undefined;
}

/** @throws {TypeError} when `value` is not a number within the bounds */
export function requireNumber(at: string, option: string, value: unknown, bounds: NumberBounds): void {
  const { integer = false, min = -Infinity, max = Infinity, above, below } = bounds;
  const fits =
    typeof value === 'number' &&
    (integer ? Number.isSafeInteger(value) : !Number.isNaN(value)) &&
    value >= min &&
    value <= max &&
    (above === undefined || value > above) &&
    (below === undefined || value < below);
  if (fits) return;

  const limits = [
    min > -Infinity ? `at least ${min}` : '',
    above === undefined ? '' : `above ${above}`,
    max < Infinity ? `at most ${max}` : '',
    below === undefined ? '' : `below ${below}`,
  ].filter((limit) => limit !== '');
  throw new TypeError(
    `${quoted(at, option)} must be ${integer ? 'an integer' : 'a number'} ${limits.join(' and ')}, got ${String(value)}`,
  );
}

/** @throws {TypeError} when `value` is not a string, or empty */
export function requireName(at: string, option: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return;
  throw new TypeError(`${quoted(at, option)} must be a name, got ${value === '' ? "''" : String(value)}`);
}

/** @throws {TypeError} when `value` is not an object */
export function requireObject(at: string, option: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new TypeError(
    `${quoted(at, option)} must be an object, got ${Array.isArray(value) ? 'an array' : String(value)}`,
  );
}

/** @throws {TypeError} when `options` has a name that is none of `known` */
export function requireKnownNames(
  at: string,
  option: string,
  options: object,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = known.find((each) => isNearly(each.toLowerCase(), name.toLowerCase()));
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`;
    throw new TypeError(`${quoted(at, option)} has an unknown option "${name}"; ${hint}`);
  }
}

/** One word begins with the other, or one letter is wrong, missing or too many. */
function isNearly(one: string, other: string): boolean {
  if (one.startsWith(other) || other.startsWith(one)) return true;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const [rest, otherRest] = [one.slice(same), other.slice(same)];
  return rest.slice(1) === otherRest.slice(1) || rest.slice(1) === otherRest || rest === otherRest.slice(1);
}
