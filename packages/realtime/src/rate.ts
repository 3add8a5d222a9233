import { refuseUnknownOptions, requireInteger, requireObject, wrongOption } from '@signalbox/options';

/** So many in a time. */
export interface Rate {
  /** An integer of at least 1. */
  readonly limit: number;
  /** In milliseconds. */
  readonly windowMs: number;
  /**
   * How many more than one may come at once; after that `limit` in `windowMs`, evenly.
   * @default limit - 1
   */
  readonly burst?: number | undefined;
}

/** `5/s`, `5/s burst 10`, `100/15m`; or the parts. */
export type RateInput = string | Rate;

const WANTED = 'a rate such as 5/s, 5/s burst 10 or 100/15m';
const RATE = /^([1-9]\d{0,8})\/([1-9]\d{0,4})?(ms|s|m|h)(?: burst (\d{1,9}))?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** @throws {TypeError} when it is no rate */
export function readRate(owner: string, option: string, rate: unknown): Required<Rate> {
  if (typeof rate === 'string') {
    const [, limit, count = '1', unit = '', burst] = RATE.exec(rate) ?? [];
    if (limit === undefined) throw wrongOption(owner, option, WANTED, rate);
    const windowMs = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
    return { limit: Number(limit), windowMs, burst: Number(burst ?? Number(limit) - 1) };
  }
  if (rate === undefined || rate === null) throw wrongOption(owner, option, WANTED, rate);
  requireObject(owner, option, rate);
  refuseUnknownOptions(`${owner}: "${option}"`, rate, ['limit', 'windowMs', 'burst']);
  const { limit, windowMs, burst } = rate as Partial<Rate>;
  requireInteger(owner, `${option}.limit`, limit, 1);
  requireInteger(owner, `${option}.windowMs`, windowMs, 1);
  if (burst !== undefined) requireInteger(owner, `${option}.burst`, burst, 0);
  return { limit, windowMs, burst: burst ?? limit - 1 };
}
