import { z } from 'zod';

/** What a helper such as `port()` leaves in its schema's metadata for `config` to read. */
export interface SettingAbout {
  /** What the value must be, after "must be": `a port from 0 to 65535`. */
  wanted: string;
  /** The value is text with commas; on the command line it may be given several times. */
  list?: boolean | undefined;
  /** On the command line it needs no value: `--privacy`, `--no-privacy`. */
  flag?: boolean | undefined;
  secret?: SecretAbout | undefined;
  /** A value as a person would write it, so that it is read as the same; `undefined` for what is no such value. */
  write?: ((value: unknown) => string | undefined) | undefined;
}

/** How strong a secret has to be in production. */
export interface SecretAbout {
  minBytes: number;
  /** Outside production a missing one is made at start. */
  generate: boolean;
}

/** What a reader returns instead of a value. */
export class Wrong {
  constructor(
    /** The predicate of a sentence whose subject is the setting. */
    readonly message: string,
  ) {}
}

/** A schema that reads a value of unknown origin (text, or JSON) and knows how to name what it wants. */
export function setting<T>(about: SettingAbout, read: (value: unknown) => T | Wrong): z.ZodType<T> {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = value === undefined ? new Wrong(`must be ${about.wanted}`) : read(value);
      if (!(result instanceof Wrong)) return result;
      context.addIssue({ code: 'custom', message: result.message });
      return z.NEVER;
    })
    .meta({ setting: about });
}

/** A setting of which every wrong value is told the same: `must be <wanted>`. */
export function textSetting<T>(about: SettingAbout, read: (text: string) => T | undefined): z.ZodType<T> {
  return setting(about, (value) => {
    const result = typeof value === 'string' ? read(value) : undefined;
    return result === undefined ? new Wrong(`must be ${about.wanted}`) : result;
  });
}

// A sign, digits without leading zeros, a fraction. No exponents, no hexadecimal, no blanks: what `Number`
// takes besides is a slip of the finger more often than a number.
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

/** The number that `value` states in plain decimal digits, else `undefined`. */
export function strictNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !DECIMAL.test(value)) return undefined;
  const number = Number(value);
  const exact = !Number.isInteger(number) || Number.isSafeInteger(number);
  return exact && Number.isFinite(number) ? number : undefined;
}

const FLAG_WORDS: Readonly<Record<string, boolean>> = {
  on: true,
  off: false,
  true: true,
  false: false,
  yes: true,
  no: false,
  '1': true,
  '0': false,
};

/** The truth of a flag word in any case, else `undefined`. */
export function strictBoolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 1 || value === 0) return value === 1;
  if (typeof value !== 'string') return undefined;
  const word = value.toLowerCase();
  return Object.hasOwn(FLAG_WORDS, word) ? FLAG_WORDS[word] : undefined;
}

/** The entries between the commas, trimmed; an array as it is; `undefined` when it holds an empty or other entry. */
export function listEntries(value: unknown): string[] | undefined {
  if (typeof value === 'string' && value.trim() === '') return [];
  const entries: unknown = typeof value === 'string' ? value.split(',').map((entry) => entry.trim()) : value;
  if (!Array.isArray(entries)) return undefined;
  const texts = entries.filter((entry): entry is string => typeof entry === 'string' && entry !== '');
  return texts.length === entries.length ? texts : undefined;
}

/** Throws a `TypeError` unless `value` is an integer within the bounds. */
export function requireInteger(name: string, option: string, value: unknown, min: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min) return;
  throw new TypeError(`${name}: "${option}" must be an integer of at least ${min}, got ${String(value)}`);
}
