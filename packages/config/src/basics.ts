import { z } from 'zod';
import { listEntries, setting, strictBoolean, strictNumber, textSetting, Wrong } from './setting.js';

/** The three ways in which a program runs. */
export const PROFILES: readonly Profile[] = ['development', 'test', 'production'];

/** How strict to be: in `production` a missing or weak secret stops the start. */
export type Profile = 'development' | 'test' | 'production';

/** `development` (the default), `test` or `production`. For the key `NODE_ENV`. */
export function profile(): z.ZodType<Profile, Profile | undefined> {
  return z.enum(PROFILES).default('development');
}

const FLAGS: ReadonlyMap<unknown, string> = new Map([
  [true, 'on'],
  [false, 'off'],
]);

/** `on`, `off`, `true`, `false`, `yes`, `no`, `1`, `0`. On the command line `--privacy` and `--no-privacy` do. */
export function flag(): z.ZodType<boolean> {
  const write = (value: unknown): string | undefined => FLAGS.get(value);
  return setting({ wanted: 'on or off', flag: true, write }, (value) => {
    return strictBoolean(value) ?? new Wrong('must be on or off (or true, false, yes, no, 1, 0)');
  });
}

/** A TCP port, 0 to 65535. 0 asks the system for a free one. */
export function port(): z.ZodType<number> {
  const about = { wanted: 'a port from 0 to 65535' };
  return setting(about, (value) => {
    const number = strictNumber(value);
    const fits = number !== undefined && Number.isInteger(number) && number >= 0 && number <= 65_535;
    return fits ? number : new Wrong(`must be ${about.wanted}`);
  });
}

/** Options of {@link list}. */
export interface ListOptions {
  /** What the entries may be. By default anything but the empty text. */
  oneOf?: readonly string[] | undefined;
}

/**
 * Text with commas between its entries, such as `a, b`. No text is no entries.
 *
 * On the command line the option may be given several times instead.
 */
export function list(options: ListOptions = {}): z.ZodType<string[]> {
  const { oneOf } = options;
  const entry = oneOf === undefined ? 'entries' : `any of ${oneOf.join(', ')}`;
  const about = { wanted: `${entry} with commas between them`, list: true };
  return setting(about, (value) => {
    const entries = listEntries(value);
    if (entries === undefined) return new Wrong(`must be ${about.wanted}, none of them empty`);
    const odd = oneOf === undefined ? undefined : entries.find((text) => !oneOf.includes(text));
    return odd === undefined ? entries : new Wrong(`must be ${about.wanted}`);
  });
}

/** Text that is not empty or blank. */
export function text(): z.ZodType<string> {
  return textSetting({ wanted: 'text that is not empty' }, (value) =>
    value.trim() === '' ? undefined : value,
  );
}
