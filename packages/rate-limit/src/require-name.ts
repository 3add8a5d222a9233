import { wrongOption } from '@signalbox/options';

// It stands in header fields (a string of RFC 9651), Redis keys, metric labels and nginx's configuration.
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const WANTED = 'a name of up to 64 letters, digits, "_", "." and "-" that begins with a letter';

/** @throws {TypeError} when `value` cannot name a limit everywhere that its name is shown */
export function requireName(owner: string, option: string, value: unknown): void {
  if (typeof value === 'string' && NAME.test(value)) return;
  throw wrongOption(owner, option, WANTED, value);
}
