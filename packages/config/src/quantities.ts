import type { z } from 'zod';
import { setting, strictNumber, textSetting, Wrong } from './setting.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Options of {@link duration}. */
export interface DurationOptions {
  /**
   * What the number counts: milliseconds for a `timeoutMs`, seconds for a `ttlSeconds`.
   * @default 'ms'
   */
  unit?: 'ms' | 's' | undefined;
}

/**
 * A length of time with its unit, such as `250ms`, `30s`, `15m`, `24h`, `7d` or `2w`, as a number.
 *
 * A number without a unit is refused, since nobody can tell what it counts; only `0` needs none.
 */
export function duration(options: DurationOptions = {}): z.ZodType<number> {
  const { unit = 'ms' } = options;
  if (unit !== 'ms' && unit !== 's') {
    throw new TypeError(`duration: "unit" must be 'ms' or 's', got ${String(unit)}`);
  }
  const divisor = unit === 'ms' ? 1 : 1000;
  const about = {
    wanted: 'a length of time with its unit, such as 250ms, 30s or 15m',
    write: (value: unknown) => (typeof value === 'number' ? inUnits(value * divisor, TIMES) : undefined),
  };
  return textSetting(about, (value) => {
    const ms = value === '0' ? 0 : toMilliseconds(value);
    return ms === undefined ? undefined : ms / divisor;
  });
}

const TIMES: readonly (readonly [string, number])[] = ['d', 'h', 'm', 's', 'ms'].map((unit) => [
  unit,
  UNIT_MS[unit] ?? Number.NaN,
]);
const SIZES: readonly (readonly [string, number])[] = [
  ['gb', 1024 ** 3],
  ['mb', 1024 ** 2],
  ['kb', 1024],
  ['b', 1],
];

/** In the largest unit of which it is a whole number. */
function inUnits(amount: number, units: typeof TIMES): string | undefined {
  if (amount === 0) return '0';
  const [unit, of] = units.find(([, each]) => Number.isInteger(amount / each)) ?? [];
  return unit === undefined || of === undefined ? undefined : `${amount / of}${unit}`;
}

function toMilliseconds(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text) ?? [];
  const number = strictNumber(digits);
  if (number === undefined || unit === undefined) return undefined;
  const ms = number * (UNIT_MS[unit] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

const BYTES: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4 };

/**
 * A size such as `512kb`, `10mb` or `1gib`, in bytes; digits alone are bytes.
 *
 * `kb` and `kib` are both 1 024 bytes, as for Express' body parsers.
 */
export function bytes(): z.ZodType<number> {
  const about = {
    wanted: 'a size such as 512kb or 10mb',
    write: (value: unknown) => (typeof value === 'number' ? inUnits(value, SIZES) : undefined),
  };
  return setting(about, (value) => {
    const given = typeof value === 'number' ? String(value) : value;
    if (typeof given !== 'string') return new Wrong(`must be ${about.wanted}`);
    const [, digits, unit = 'b'] = /^(\d+(?:\.\d+)?) ?(?:(b|[kmgt])(?:i?b)?)?$/i.exec(given) ?? [];
    const number = strictNumber(digits);
    const size = (number ?? Number.NaN) * 1024 ** (BYTES[unit.toLowerCase()] ?? Number.NaN);
    return Number.isSafeInteger(size) ? size : new Wrong(`must be ${about.wanted}`);
  });
}

/** So many in a time; with `burst`, so many more at once. */
export interface Rate {
  limit: number;
  windowMs: number;
  burst?: number;
}

/** A rate: `10/s`, `5/15m` (five in fifteen minutes), `10/s burst 20`. */
export function rate(): z.ZodType<Rate> {
  const about = { wanted: 'a rate such as 10/s, 5/15m or 10/s burst 20', write: rateInWords };
  return textSetting(about, (value) => {
    const [, limitText, window = '', burstText] =
      /^(\d+) ?\/ ?((?:\d+(?:\.\d+)?)?[a-z]{1,2})(?: +burst +(\d+))?$/.exec(value) ?? [];
    const limit = strictNumber(limitText);
    const burst = strictNumber(burstText);
    const windowMs = toMilliseconds(/^\d/.test(window) ? window : `1${window}`);
    if (limit === undefined || limit < 1 || windowMs === undefined || windowMs < 1) return undefined;
    if (burstText === undefined) return { limit, windowMs };
    return burst === undefined ? undefined : { limit, windowMs, burst };
  });
}

function rateInWords(value: unknown): string | undefined {
  const { limit, windowMs = Number.NaN, burst } = Object(value) as Partial<Rate>;
  const window = inUnits(windowMs, TIMES);
  if (limit === undefined || window === undefined) return undefined;
  // One second is `s`, and fifteen are `15s`.
  return `${limit}/${window.replace(/^1(?=[a-z])/, '')}${burst === undefined ? '' : ` burst ${burst}`}`;
}
