import { suggestion } from '@signalbox/options';

/** It stands in URLs, headers and media types as it is. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/i;

/**
 * @throws {TypeError} when names cannot be told apart or written in a URL, or stand from new to old
 */
export function requireVersionNames(names: readonly string[]): void {
  if (names.length === 0) {
    throw new TypeError('versions: "versions" must name one version or more, as { v1, v2 }, got none');
  }
  const seen = new Set<string>();
  let before: string | undefined;
  for (const name of names) {
    if (!NAME.test(name)) {
      throw new TypeError(
        `versions: "versions" must have names of up to 32 letters, digits, ".", "_" and "-", got ${JSON.stringify(name)}`,
      );
    }
    if (seen.has(name.toLowerCase())) {
      throw new TypeError(
        `versions: "versions" must have names that differ in more than case, got "${name}" twice`,
      );
    }
    seen.add(name.toLowerCase());
    // The other way round an old version would quietly inherit from a new one.
    if (before !== undefined && isNewer(before, name)) {
      throw new TypeError(
        `versions: "versions" must stand from the oldest to the newest, got ${before} before ${name}`,
      );
    }
    before = name;
  }
}

/** @throws {TypeError} when `name` is no version's */
export function requireVersion(option: string, name: unknown, names: readonly string[]): void {
  if (names.includes(name as string)) return;
  throw new TypeError(
    `versions: "${option}" must be one of the versions, got ${JSON.stringify(name)}; ${suggestion(name, names)}`,
  );
}

/**
 * Whether a text looks like a version: as one of the names, but for its digits. So `v9` is an unknown version where
 * there are `v1` and `v2`, and `search` is none.
 */
export function versionTest(names: readonly string[]): (text: string) => boolean {
  const shapes = [...new Set(names.map(shapeOf))];
  const pattern = new RegExp(`^(?:${shapes.join('|')})$`, 'i');
  return (text) => text.length <= 32 && pattern.test(text);
}

function shapeOf(name: string): string {
  return name.replaceAll('.', String.raw`\.`).replace(/\d+/g, String.raw`\d+`);
}

function isNewer(one: string, other: string): boolean {
  return shapeOf(one) === shapeOf(other) && one.localeCompare(other, 'en', { numeric: true }) > 0;
}
