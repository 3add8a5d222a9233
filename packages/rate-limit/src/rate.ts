import {
  refuseUnknownOptions,
  requireBoolean,
  requireInteger,
  requireObject,
  wrongOption,
} from '@signalbox/options';

/** So many in a time. */
export interface Rate {
  /** Requests in one window. An integer of at least 1. */
  readonly limit: number;
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /**
   * How many more than one may come at once. With it the rate is kept by GCRA, as nginx' `limit_req` with
   * `nodelay` does: 1 + `burst` at once, then `limit` in `windowMs`, evenly.
   */
  readonly burst?: number | undefined;
  /** The window ends now, whenever now is, instead of beginning with the first request. */
  readonly sliding?: boolean | undefined;
}

/** A rate as a string, such as `10/s burst 20`, or its parts. */
export type RateInput = string | Rate;

const WANTED = 'a rate such as 10/s, 5/15m, 10/s burst 20 or 100/h sliding';

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
]);

const RATE = /^(\d+) ?\/ ?(\d+(?:\.\d+)?)?([a-z]{1,2})(?: +(?:burst +(\d+)|(sliding)))?$/;

/**
 * Reads a rate: `10/s`, `5/15m` (five in fifteen minutes), `10/s burst 20`, `100/h sliding`. Units are `ms`, `s`,
 * `m`, `h`, `d` and `w`.
 *
 * @throws {TypeError} when it is none
 *
 * @example
 * parseRate('10/s burst 20'); // { limit: 10, windowMs: 1000, burst: 20 }
 */
export function parseRate(rate: RateInput): Rate {
  return readRate('parseRate', 'rate', rate);
}

/** @throws {TypeError} when `rate` is none */
export function readRate(owner: string, option: string, rate: unknown): Rate {
  if (typeof rate === 'object' && rate !== null) return checkRate(owner, option, rate);
  const parsed = typeof rate === 'string' ? parse(rate) : undefined;
  if (parsed === undefined) throw wrongOption(owner, option, WANTED, rate);
  return parsed;
}

function parse(text: string): Rate | undefined {
  // What is longer is no rate, whatever it would cost to find out.
  const match = text.length > 100 ? null : RATE.exec(text);
  if (match === null) return undefined;
  const [, limitText, countText = '1', unit = '', burstText, sliding] = match;
  const limit = decimal(limitText);
  const windowMs = decimal(countText) * (UNIT_MS.get(unit) ?? Number.NaN);
  const isWhole = Number.isSafeInteger(limit) && Number.isSafeInteger(windowMs);
  if (!isWhole || limit < 1 || windowMs < 1) return undefined;

  if (sliding !== undefined) return { limit, windowMs, sliding: true };
  if (burstText === undefined) return { limit, windowMs };
  const burst = decimal(burstText);
  return Number.isSafeInteger(burst) ? { limit, windowMs, burst } : undefined;
}

/** NaN for what begins with a needless zero: `010` is a slip of the finger more often than a number. */
function decimal(text: string | undefined): number {
  return text !== undefined && /^(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

function checkRate(owner: string, option: string, rate: object): Rate {
  requireObject(owner, option, rate);
  refuseUnknownOptions(`${owner}: "${option}"`, rate, ['limit', 'windowMs', 'burst', 'sliding']);
  const { limit, windowMs, burst, sliding } = rate as Rate;
  requireInteger(owner, `${option}.limit`, limit, 1);
  requireInteger(owner, `${option}.windowMs`, windowMs, 1);
  if (burst !== undefined) requireInteger(owner, `${option}.burst`, burst, 0);
  if (sliding !== undefined) requireBoolean(owner, `${option}.sliding`, sliding);
  if (sliding === true && burst !== undefined) {
    throw new TypeError(`${owner}: "${option}" must be sliding or have a burst, not both`);
  }
  return { limit, windowMs, ...(burst === undefined ? {} : { burst }), ...(sliding ? { sliding } : {}) };
}

/** The rate as it is written: `5/15m`. */
export function writeRate({ limit, windowMs, burst, sliding }: Rate): string {
  const suffix = burst === undefined ? (sliding ? ' sliding' : '') : ` burst ${burst}`;
  return `${limit}/${writeDuration(windowMs)}${suffix}`;
}

function writeDuration(ms: number): string {
  let best = `${ms}ms`;
  for (const [unit, unitMs] of UNIT_MS) {
    if (ms % unitMs === 0) best = ms === unitMs ? unit : `${ms / unitMs}${unit}`;
  }
  return best;
}

const WORDS: readonly (readonly [seconds: number, word: string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

/** A length of time for people, rounded up: `15 minutes`. */
export function inWords(ms: number): string {
  if (ms < 1000) return count(ms, 'millisecond');
  const seconds = Math.ceil(ms / 1000);
  // The largest unit that tells it within a tenth: 90 seconds are not 2 minutes.
  for (const [each, word] of WORDS) {
    const whole = Math.ceil(seconds / each);
    if (seconds >= each && whole * each <= seconds * 1.1) return count(whole, word);
  }
  return count(seconds, 'second');
}

/** `1 request`, `2 requests`. */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
