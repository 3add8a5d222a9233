/**
 * Every check takes the words that name the option, such as `rateLimit: "limit"`, and what came.
 */

/** @throws {TypeError} when `value` is not an integer of at least `min` */
export function requireInteger(option: string, value: unknown, min: number): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return;
  throw new TypeError(`${option} must be an integer of at least ${min}, got ${shown(value)}`);
}

/** @throws {TypeError} when `value` is not a boolean */
export function requireBoolean(option: string, value: unknown): asserts value is boolean {
  if (typeof value === 'boolean') return;
  throw new TypeError(`${option} must be true or false, got ${shown(value)}`);
}

/** @throws {TypeError} when `value` is not a function */
export function requireFunction(option: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new TypeError(`${option} must be a function, got ${shown(value)}`);
}

/** @throws {TypeError} when `value` is neither `undefined` nor a function */
export function requireOptionalFunction(option: string, value: unknown): void {
  if (value !== undefined) requireFunction(option, value);
}

/** @throws {TypeError} when `value` is none of `choices` */
export function requireOneOf(option: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === 'string' && choices.includes(value)) return;
  const listed = choices.map((choice) => `'${choice}'`).join(', ');
  throw new TypeError(`${option} must be one of ${listed}, got ${shown(value)}`);
}

/** @throws {TypeError} when `value` is not an object */
export function requireObject(option: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new TypeError(`${option} must be an object, got ${Array.isArray(value) ? 'an array' : shown(value)}`);
}

// It stands in header fields (a string of RFC 9651), Redis keys, metric labels and nginx's configuration.
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** @throws {TypeError} when `value` cannot name a limit everywhere that its name is shown */
export function requireName(option: string, value: unknown): void {
  if (typeof value === 'string' && NAME.test(value)) return;
  throw new TypeError(
    `${option} must be a name of up to 64 letters, digits, "_", "." and "-" that begins with a letter, got ${shown(value)}`,
  );
}

/**
 * @param owner names what has the options, such as `rateLimit` or `zones: "zones.api"`
 * @throws {TypeError} when `options` has a name that is none of `known`
 */
export function requireKnownNames(owner: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(`${owner} has no option "${name}"${didYouMean(name, known)}`);
  }
}

/** `; did you mean "search"?` where one of `known` is close, else the list of them. */
export function didYouMean(name: unknown, known: readonly string[]): string {
  const wanted = typeof name === 'string' ? name.toLowerCase() : '';
  const meant = known.find((each) => isNearly(each.toLowerCase(), wanted));
  return meant === undefined ? `; there are ${known.join(', ')}` : `; did you mean "${meant}"?`;
}

/** One begins with the other, or one letter is wrong, missing, too many, or swapped with the next. */
function isNearly(one: string, other: string): boolean {
  if (one === '' || other === '') return false;
  if (one.startsWith(other) || other.startsWith(one)) return true;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const [a, b] = [one.slice(same), other.slice(same)];
  const isSwapped = a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
  return isSwapped || a.slice(1) === b.slice(1) || a.slice(1) === b || a === b.slice(1);
}

/** What came, in an error message: never the whole of something long. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}
