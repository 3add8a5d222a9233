/**
 * A value as Postgres reads it in text, for `$1`. The same as pg makes of it, so that a program gets the same from
 * an embedded Postgres.
 */
export function wireValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value instanceof Date) return localDate(value);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return bytes(value);
  if (Array.isArray(value)) return arrayText(value);
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot be sent to Postgres`);
  // pg's way for a value to say how it is written.
  if ('toPostgres' in value && typeof value.toPostgres === 'function') {
    const toPostgres = value.toPostgres as (this: object, prepare: typeof wireValue) => unknown;
    return wireValue(toPostgres.call(value, wireValue));
  }
  return JSON.stringify(value);
}

function bytes(value: ArrayBuffer | ArrayBufferView): string {
  const buffer = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
  return `\\x${buffer.toString('hex')}`;
}

/** As an array of Postgres; as JSON it must be made text by the program, as for pg. */
function arrayText(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (value === null || value === undefined) return 'NULL';
    if (Array.isArray(value)) return arrayText(value);
    return `"${(wireValue(value) ?? '').replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${items.join(',')}}`;
}

const pad = (number: number, digits = 2): string => String(number).padStart(digits, '0');

/** In local time with its offset, so that a column without a time zone gets the day that the program means. */
function localDate(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const year = date.getFullYear();
  const isBeforeChrist = year < 1;
  const day = `${pad(isBeforeChrist ? 1 - year : year, 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
  const minutes = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  return `${day}T${time}${zone}${isBeforeChrist ? ' BC' : ''}`;
}
