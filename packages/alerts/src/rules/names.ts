import { requireText, wrongOption } from '@signalbox/options';

/** @throws {TypeError} when `value` is neither `undefined` nor a list of names */
export function requireNames(owner: string, option: string, value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw wrongOption(owner, option, 'a list of names', value);
  for (const name of value as readonly unknown[]) requireText(owner, option, name);
}
