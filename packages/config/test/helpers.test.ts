import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bytes, cidrs, config, duration, flag, list, origins, port, rate, url } from '@signalbox/config';
import { problemsOf } from './support.js';

function read(field: z.ZodType, value: string): unknown {
  return config(z.object({ X: field }), { env: { X: value } })['X'];
}

function refusal(field: z.ZodType, value: string): string {
  return problemsOf(z.object({ X: field }), { env: { X: value } }).join('\n');
}

describe('port', () => {
  it('reads every port, and nothing else that is a number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_535 }), (value) => read(port(), String(value)) === value),
    );
    fc.assert(
      fc.property(fc.double(), (value) => {
        fc.pre(!(Number.isInteger(value) && value >= 0 && value <= 65_535));
        expect(port().safeParse(value).success).toBe(false);
      }),
    );
  });
});

describe('flag', () => {
  it.each(['on', 'TRUE', 'yes', '1'])('takes %s for true', (value) => expect(read(flag(), value)).toBe(true));
  it.each(['off', 'False', 'no', '0'])('takes %s for false', (value) =>
    expect(read(flag(), value)).toBe(false),
  );
  it.each(['', 'maybe', '2', 'toString'])('refuses %j', (value) => {
    expect(refusal(flag(), value)).toContain('X must be on or off (or true, false, yes, no, 1, 0)');
  });
});

describe('duration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0', 0],
    ['0s', 0],
  ])('reads %s as %i ms', (value, ms) => expect(read(duration(), value)).toBe(ms));

  it('counts in seconds where it is asked to', () => {
    expect(read(duration({ unit: 's' }), '5m')).toBe(300);
    expect(read(duration({ unit: 's' }), '250ms')).toBe(0.25);
  });

  it('takes a default in its result and one in its own words', () => {
    const schema = z.object({ A: duration().default(5), B: duration().prefault('15m') });
    expect(config(schema, { env: {} })).toEqual({ A: 5, B: 900_000 });
  });

  it.each(['15', '', 's', '1 s', '-1s', '1e3s', '1y', '0.5ms', '99999999999999d', '1m30s'])(
    'refuses %j',
    (value) => {
      expect(refusal(duration(), value)).toContain('X must be a length of time with its unit');
    },
  );

  it('refuses an unknown unit at construction', () => {
    // @ts-expect-error: minutes are not offered
    expect(() => duration({ unit: 'm' })).toThrow("duration: \"unit\" must be 'ms' or 's', got m");
  });
});

describe('bytes', () => {
  it.each([
    ['1048576', 1_048_576],
    ['512b', 512],
    ['10mb', 10_485_760],
    ['1.5KB', 1536],
    ['1 GiB', 1_073_741_824],
    ['2k', 2048],
    ['1tb', 1_099_511_627_776],
  ])('reads %s as %i bytes', (value, size) => expect(read(bytes(), value)).toBe(size));

  it.each(['', '10xb', '-1', '1e3', '1.3b', '9999999tb', 'mb'])('refuses %j', (value) => {
    expect(refusal(bytes(), value)).toContain('X must be a size such as 512kb or 10mb');
  });
});

describe('rate', () => {
  it.each([
    ['10/s burst 20', { limit: 10, windowMs: 1000, burst: 20 }],
    ['5/15m', { limit: 5, windowMs: 900_000 }],
    ['100 / h', { limit: 100, windowMs: 3_600_000 }],
    ['1/250ms burst 0', { limit: 1, windowMs: 250, burst: 0 }],
  ])('reads %s', (value, expected) => expect(read(rate(), value)).toEqual(expected));

  it.each([
    '',
    '10',
    '0/s',
    '10/',
    '10/s burst',
    '-1/s',
    '10/0s',
    '1.5/s',
    '10/s burst x',
    '10/y',
    '10 per s',
  ])('refuses %j', (value) =>
    expect(refusal(rate(), value)).toContain('X must be a rate such as 10/s, 5/15m or 10/s burst 20'),
  );
});

describe('list', () => {
  it('splits at commas and trims, and takes no text for no entries', () => {
    expect(read(list(), ' a, b ,c')).toEqual(['a', 'b', 'c']);
    expect(read(list(), '')).toEqual([]);
  });

  it('refuses empty entries, and others than those allowed', () => {
    expect(refusal(list(), 'a,,b')).toContain(
      'X must be entries with commas between them, none of them empty',
    );
    expect(refusal(list({ oneOf: ['a', 'b'] }), 'a,c')).toContain(
      'X must be any of a, b with commas between them',
    );
  });

  it('gives back what was joined', () => {
    const entry = fc.stringMatching(/^[^,\s]{1,9}$/);
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        expect(list().parse(entries.join(', '))).toEqual(entries);
        expect(list().parse(entries)).toEqual(entries);
      }),
    );
  });
});

describe('url', () => {
  it.each([
    'https://example.org',
    'redis://:pa%40ss@localhost:6379/0',
    'redis+sentinel://h1:26379,h2:26379/name',
    'postgres://u:p@h1:5432,h2:5433/db?sslmode=require',
    'unix:///run/redis.sock',
    'http://[::1]:8080/path?x=1#y',
  ])('takes %s as it is', (value) => expect(read(url(), value)).toBe(value));

  it.each([
    '',
    'localhost:6379',
    'example.org',
    '//x',
    'http://',
    'http://h:99999',
    ' https://x',
    'https://a b',
    'x',
  ])('refuses %j', (value) =>
    expect(refusal(url(), value)).toContain('X must be a URL such as https://example.org'),
  );

  it('takes only the protocols that are asked for', () => {
    const redis = url({ protocols: ['redis', 'rediss'] });
    expect(read(redis, 'REDISS://host')).toBe('REDISS://host');
    expect(refusal(redis, 'http://host')).toContain('X must be a URL that begins with redis:// or rediss://');
    expect(() => url({ protocols: ['https:'] })).toThrow('url: "protocols" must be schemes without a colon');
  });
});

describe('cidrs', () => {
  it('takes addresses and ranges of both families', () => {
    const ranges = ['127.0.0.0/8', '::1', '10.1.2.3', '2001:db8::/32', '0.0.0.0/0'];
    expect(read(cidrs(), ranges.join(', '))).toEqual(ranges);
  });

  it.each([
    '10.0.0.0/33',
    '::/129',
    'localhost',
    '10.0.0.1/',
    '10.0.0/8',
    '1.2.3.4/8/9',
    'fe80::1%eth0',
    '1.2.3.4/-1',
  ])('refuses %s', (value) => {
    expect(refusal(cidrs(), `::1,${value}`)).toContain(
      `such as 10.0.0.0/8, ::1; ${JSON.stringify(value)} is neither`,
    );
  });
});

describe('origins', () => {
  it("brings origins into the browsers' form", () => {
    expect(read(origins(), 'https://App.Example:443, http://localhost:5173,https://*.Example.org')).toEqual([
      'https://app.example',
      'http://localhost:5173',
      'https://*.example.org',
    ]);
    expect(read(origins(), '')).toEqual([]);
  });

  it.each([
    ['https://a.example/', 'ends in a slash, which an origin does not'],
    ['https://a.example/app', 'has a path, which an origin has not'],
    ['https://me:hunter2@a.example', 'an origin has no user or password'],
    ['*', 'is not one'],
    ['null', 'is not one'],
    ['a.example', 'is not one'],
    ['https://*.com', 'is not one'],
    ['https://a.*.example.org', 'is not one'],
    ['https://*a.example.org', 'is not one'],
    ['ftp://a.example', 'is not one'],
    ['https://a.example?x', 'is not one'],
  ])('refuses %s: it %s', (value, reason) => {
    const message = refusal(origins(), value);
    expect(message).toContain(reason);
    expect(message).not.toContain('hunter2');
  });
});
