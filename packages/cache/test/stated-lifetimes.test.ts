import { describe, expect, it } from 'vitest';
import { cache } from '../src/index.js';
import { clock, counting, fields, get, serving } from './support.js';

const at = (ms: number): string => new Date(ms).toUTCString();
const SOON = Date.now() + 1_000_000;
const HOUR = 3_600_000;

type Fields = Record<string, string | string[]>;

/** Whether an answer with these fields is used again, so many seconds later. */
async function isUsedAgain(stated: Fields, afterSeconds = 0): Promise<boolean> {
  const { now, pass } = clock();
  const handler = counting(fields(stated));
  const url = await serving(cache({ now, etag: false }), handler);
  await get(url);
  pass(afterSeconds);
  return (await get(url)).text === 'answer 1';
}

describe('a lifetime that an answer states', () => {
  it.each([
    ['more than 31 bits (RFC 9111 section 1.2.2)', { 'cache-control': 'max-age=2147483648' }],
    ['more than can be counted (section 1.2.2)', { 'cache-control': 'max-age=99999999999999999999' }],
    ['zeros before it (section 1.2.2)', { 'cache-control': 'max-age=00100' }],
    ['an extension beside it (section 5.2.3)', { 'cache-control': 'max-age=100, foobar, x=1, y="a, b"' }],
    [
      'max-age against an Expires that is past (section 5.3)',
      { 'cache-control': 'max-age=100', expires: at(0) },
    ],
    [
      'max-age against an Expires that is none (section 5.3)',
      { 'cache-control': 'max-age=100', expires: '0' },
    ],
    ['s-maxage against a shorter max-age (section 5.2.2.10)', { 'cache-control': 's-maxage=100, max-age=0' }],
    [
      's-maxage against a past Expires (section 5.2.2.10)',
      { 'cache-control': 'max-age=0, s-maxage=100', expires: at(0) },
    ],
    ['fields of several lines (RFC 9110 section 5.3)', { 'cache-control': ['public', 'max-age=100'] }],
    ['Expires (section 5.3)', { expires: at(SOON) }],
    ['Expires, though Date is none (section 4.2.1)', { expires: at(SOON), date: 'today' }],
    ['Expires in 2038 and later (section 5.3)', { expires: 'Tue, 19 Jan 2038 14:14:08 GMT' }],
    ['Expires in a far future (section 5.3)', { expires: 'Sun, 21 Nov 2286 04:46:39 GMT' }],
    ['Expires in lower case (RFC 9110 section 5.6.7)', { expires: at(SOON).toLowerCase() }],
    ['Expires in the form of RFC 850 (RFC 9110 section 5.6.7)', { expires: rfc850(SOON) }],
    ['Expires in the form of asctime (RFC 9110 section 5.6.7)', { expires: asctime(SOON) }],
    ['CDN-Cache-Control (RFC 9213 section 2)', { 'cdn-cache-control': 'max-age=100' }],
    [
      'CDN-Cache-Control against the shorter of others (RFC 9213 section 2.2)',
      { 'cdn-cache-control': 'max-age=100', 'cache-control': 'max-age=0', expires: at(0) },
    ],
    ['CDN-Cache-Control of more than 31 bits', { 'cdn-cache-control': 'max-age=99999999999' }],
    [
      'Cache-Control where the targeted field is no dictionary (RFC 9213 section 2.1)',
      { 'cdn-cache-control': 'max-age=&, no-store', 'cache-control': 'max-age=100' },
    ],
    [
      'Cache-Control beside a Pragma, which is for requests (section 5.4)',
      { 'cache-control': 'max-age=100', pragma: 'no-cache' },
    ],
  ] satisfies [string, Fields][])('holds: %s', async (_what, stated) => {
    expect(await isUsedAgain(stated, 50)).toBe(true);
  });

  it.each([
    ['max-age in another one’s value (section 5.2)', { 'cache-control': 'x="max-age=100", max-age=0' }],
    ['max-age in single quotes (section 5.2)', { 'cache-control': "max-age='100'" }],
    ['max-age below nothing (section 1.2.2)', { 'cache-control': 'max-age=-100' }],
    ['max-age=0 against a later Expires (section 5.3)', { 'cache-control': 'max-age=0', expires: at(SOON) }],
    ['s-maxage before a longer max-age (section 5.2.2.10)', { 'cache-control': 's-maxage=0, max-age=100' }],
    [
      's-maxage on a line of its own (RFC 9110 section 5.3)',
      { 'cache-control': ['max-age=100', 's-maxage=0'] },
    ],
    ['Expires that is Date (section 4.2.1)', { date: at(SOON), expires: at(SOON) }],
    ['Expires before Date (section 4.2.1)', { date: at(SOON), expires: at(SOON - HOUR) }],
    ['Expires with another zone (section 5.3)', { expires: at(SOON).replace('GMT', 'UTC') }],
    ['Expires with a zone far away', { expires: at(SOON).replace('GMT', 'AEST') }],
    ['Expires with a year of two digits', { expires: at(SOON).replace(/ \d\d(\d\d) /, ' $1 ') }],
    ['Expires without its comma', { expires: at(SOON).replace(',', '') }],
    ['Expires with too much space', { expires: at(SOON).replaceAll(' ', '  ') }],
    ['Expires with dashes', { expires: at(SOON).replace(/(\d\d) (\w{3}) (\d{4})/, '$1-$2-$3') }],
    ['Expires with periods', { expires: at(SOON).replaceAll(':', '.') }],
    ['Expires with an hour of one digit', { expires: at(SOON).replace(/ \d\d:/, ' 3:') }],
    ['Expires twice (section 5.3)', { expires: [at(SOON), at(SOON)] }],
    ['no-store in whatever case (section 5.2.2.5)', { 'cache-control': 'max-age=100, nO-StOrE' }],
    ['private in whatever case (section 5.2.2.7)', { 'cache-control': 'max-age=100, PriVaTe' }],
    ['no-cache in whatever case (section 5.2.2.4)', { 'cache-control': 'max-age=100, No-CaChE' }],
    [
      'CDN-Cache-Control that is private (RFC 9213 section 2.2)',
      { 'cdn-cache-control': 'private', 'cache-control': 'max-age=100', expires: at(SOON) },
    ],
    [
      'CDN-Cache-Control that is no-cache (RFC 9213 section 2.2)',
      { 'cdn-cache-control': 'no-cache', 'cache-control': 'max-age=100', expires: at(SOON) },
    ],
    [
      'CDN-Cache-Control of another type (RFC 9213 section 2.1)',
      { 'cdn-cache-control': 'max-age="100"', 'cache-control': 'max-age=0' },
    ],
  ] satisfies [string, Fields][])('does not hold: %s', async (_what, stated) => {
    expect(await isUsedAgain(stated)).toBe(false);
  });
});

const CONTROL = { 'cache-control': 'max-age=3600' };

describe('Age (section 5.1)', () => {
  it.each(['abc', '-7200', '7200.0', '7200 seconds', ''])('is passed over where it is "%s"', async (age) => {
    expect(await isUsedAgain({ ...CONTROL, age })).toBe(true);
  });

  it.each(['2147483647', '2147483648', '99999999999999999999', '3600', '7200, 0'])(
    'makes an answer stale where it is "%s"',
    async (age) => {
      expect(await isUsedAgain({ ...CONTROL, age })).toBe(false);
    },
  );

  it.each([['0, 7200'], ['0, 0'], [['0', '7200']], [['0', '0']], [['60', '60']]])(
    'counts by its first member where it is %j',
    async (age) => {
      expect(await isUsedAgain({ ...CONTROL, age })).toBe(true);
    },
  );

  it('counts by its first line where there are two', async () => {
    expect(await isUsedAgain({ ...CONTROL, age: ['7200', '0'] })).toBe(false);
  });

  it.each([
    ['slow', -HOUR],
    ['fast', HOUR],
  ])('counts against Expires minus Date where Date is %s (section 4.2.1)', async (_how, offMs) => {
    const date = Date.now() + offMs;
    const stated = { date: at(date), expires: at(date + 100_000), age: '200' };
    expect(await isUsedAgain(stated)).toBe(false);
  });
});

describe('an answer that is newer than what is kept', () => {
  it.each(['no-store', 'no-store, max-age=0'])(
    'and says %s does not bring back the older one (section 4)',
    async (control) => {
      const { now, pass } = clock();
      const handler = counting((_req, res, next) => {
        res.set('cache-control', handler.calls() === 1 ? 'max-age=10' : control);
        next();
      });
      const url = await serving(cache({ now }), handler);
      await get(url);
      pass(11);
      for (const number of [2, 3]) expect((await get(url)).text).toBe(`answer ${number}`);
    },
  );
});

/** `Sunday, 06-Nov-94 08:49:37 GMT` */
function rfc850(ms: number): string {
  const [, day, month, year, time] = /, (\d+) (\w+) \d\d(\d\d) (\S+)/.exec(at(ms)) ?? [];
  const weekday = new Date(ms).toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });
  return `${weekday}, ${day}-${month}-${year} ${time} GMT`;
}

/** `Sun Nov  6 08:49:37 1994` */
function asctime(ms: number): string {
  const [, weekday, day = '', month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(at(ms)) ?? [];
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}
