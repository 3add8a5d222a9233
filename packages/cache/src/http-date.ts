const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent (RFC 9110 section 5.6.7). */
const FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/i;
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/i;
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i;

/**
 * Reads a date of HTTP in any of its three forms, in whatever case.
 *
 * @returns milliseconds since 1970; `undefined` for what is no date, since `Expires: 0` means "already expired" and
 *   must not be read generously (RFC 9111 section 5.3)
 */
export function parseHttpDate(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const fixed = FIXDATE.exec(value);
  if (fixed !== null) return utc(fixed[3], fixed[2], fixed[1], fixed[4], fixed[5], fixed[6]);
  const asctime = ASCTIME.exec(value);
  if (asctime !== null) return utc(asctime[6], asctime[1], asctime[2], asctime[3], asctime[4], asctime[5]);
  const old = RFC850.exec(value);
  if (old === null) return undefined;
  return utc(String(century(Number(old[3]))), old[2], old[1], old[4], old[5], old[6]);
}

/** A year of two digits that seems more than 50 years ahead is one of the past. */
function century(year: number): number {
  const thisYear = new Date().getUTCFullYear();
  const full = Math.floor(thisYear / 100) * 100 + year;
  return full > thisYear + 50 ? full - 100 : full;
}

function utc(year = '', month = '', day = '', hours = '', minutes = '', seconds = ''): number | undefined {
  const index = MONTHS.indexOf(month.toLowerCase());
  if (index === -1 || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  return Date.UTC(Number(year), index, Number(day), Number(hours), Number(minutes), Number(seconds));
}

let shownSecond = -1;
let shownText = '';

/** The date as `Date` and `Last-Modified` have it. Many answers share a second. */
export function httpDate(ms: number): string {
  const second = Math.floor(ms / 1_000);
  if (second !== shownSecond) {
    shownSecond = second;
    shownText = new Date(second * 1_000).toUTCString();
  }
  return shownText;
}
