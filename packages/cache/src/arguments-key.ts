/**
 * Arguments as JSON, such that no two lists of them read alike that a function could take for different ones.
 *
 * @throws {TypeError} for what JSON has nothing to say of, such as a `Map`
 */
export function argumentsKey(owner: string, args: readonly unknown[]): string {
  // JSON writes null for several things: which of them it was, by its place.
  let place = 0;
  let told = '';
  const text = JSON.stringify(args, (_name, value: unknown) => {
    place += 1;
    if (value === undefined || (typeof value === 'number' && !Number.isFinite(value))) {
      told += ` ${place}:${String(value)}`;
      return null;
    }
    if (isUntold(value)) {
      const what = typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
      throw new TypeError(
        `memoize: "key" of ${owner} is wanted: JSON does not tell one ${what} from another`,
      );
    }
    return value;
  });
  return text + told;
}

/** What JSON would write as `{}` or `null`, whatever is in it. One with `toJSON` is a text by now. */
function isUntold(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint';
  }
  if (value instanceof RegExp || value instanceof Error || value instanceof DataView) return true;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return Symbol.iterator in value || (!isPlain(value) && Object.keys(value).length === 0);
}

/** Of another one, such as an `ArrayBuffer` or what has private fields, it may be that nothing is written. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
