import { wrongOption } from './wrong-option.js';

/** The longest that Node's timers can wait: 2^31 − 1 milliseconds, some 24 days. */
const MAX_TIMER_MS = 2_147_483_647;

/** What a number may be; each bound by default none. */
export interface NumberBounds {
  min?: number | undefined;
  max?: number | undefined;
  /** As `min`, but not the bound itself. */
  above?: number | undefined;
  /** As `max`, but not the bound itself. */
  below?: number | undefined;
  /** Whether `Infinity`, which often means "never", is none. */
  finite?: boolean | undefined;
}

/** @throws {TypeError} when `value` is not a number within the bounds; without any `Infinity` is one, `NaN` never */
export function requireNumber(
  owner: string,
  option: string,
  value: unknown,
  bounds: NumberBounds = {},
): asserts value is number {
  if (typeof value === 'number' && isWithin(value, bounds)) return;
  const kind = bounds.finite ? 'a finite number' : 'a number';
  throw wrongOption(owner, option, `${kind}${inWords(bounds)}`, value);
}

/** @throws {TypeError} when `value` is not an integer from `min` to `max` that a number can hold exactly */
export function requireInteger(
  owner: string,
  option: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (Number.isSafeInteger(value) && isWithin(value as number, { min, max })) return;
  const bounds = max === Number.MAX_SAFE_INTEGER ? { min } : { min, max };
  throw wrongOption(owner, option, `an integer${inWords(bounds)}`, value);
}

/** @throws {TypeError} when `value` is not a whole number of milliseconds that a timer can wait */
export function requireMilliseconds(
  owner: string,
  option: string,
  value: unknown,
  min = 1,
): asserts value is number {
  requireInteger(owner, option, value, min, MAX_TIMER_MS);
}

/** @throws {TypeError} when `value` is neither true nor false */
export function requireBoolean(owner: string, option: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw wrongOption(owner, option, 'true or false', value);
}

/** @throws {TypeError} when `value` is not a function */
export function requireFunction(owner: string, option: string, value: unknown): void {
  if (typeof value !== 'function') throw wrongOption(owner, option, 'a function', value);
}

/** @throws {TypeError} when `value` is not a string, or has nothing but white space in it */
export function requireText(owner: string, option: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value.trim() !== '') return;
  throw wrongOption(owner, option, 'a non-empty string', value);
}

/** @throws {TypeError} when `value` is none of `choices` */
export function requireOneOf(
  owner: string,
  option: string,
  value: unknown,
  choices: readonly (string | number)[],
): void {
  if (choices.includes(value as string)) return;
  throw wrongOption(owner, option, choices.map((choice) => JSON.stringify(choice)).join(' or '), value);
}

/** @throws {TypeError} when `value` is not an object, or a list */
export function requireObject(owner: string, option: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw wrongOption(owner, option, 'an object', value);
}

function isWithin(value: number, { min, max, above, below, finite = false }: NumberBounds): boolean {
  return (
    (!finite || Number.isFinite(value)) &&
    value >= (min ?? -Infinity) &&
    value <= (max ?? Infinity) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

function inWords({ min, max, above, below }: NumberBounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  const limits = [
    min === undefined ? '' : `at least ${min}`,
    above === undefined ? '' : `above ${above}`,
    max === undefined ? '' : `at most ${max}`,
    below === undefined ? '' : `below ${below}`,
  ].filter((limit) => limit !== '');
  if (limits.length === 0) return '';
  return min === undefined ? ` ${limits.join(' and ')}` : ` of ${limits.join(' and ')}`;
}
