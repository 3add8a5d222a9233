import { requireObject, shown } from '@signalbox/options';
import type { Invalidation } from './store.js';

/** @throws {TypeError} when it says nothing, or several things */
export function requireInvalidation(owner: string, what: unknown): asserts what is Invalidation {
  requireObject(owner, 'what', what);
  const entries = Object.entries(what);
  const [name = '', value] = entries[0] ?? [];
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '';
  const fits =
    isText(value) || (name === 'tag' && Array.isArray(value) && value.length > 0 && value.every(isText));
  if (entries.length === 1 && ['tag', 'prefix', 'pattern', 'key'].includes(name) && fits) return;
  const got = entries.length === 1 ? `"${name}": ${shown(value)}` : `${entries.length} of them`;
  throw new TypeError(
    `${owner}: "what" must be one of { tag }, { prefix }, { pattern }, { key }, got ${got}`,
  );
}
