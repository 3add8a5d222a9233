import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clean, nameOfError } from '../src/clean.js';
import { slack } from '../src/index.js';
import { lever, receiver, watched } from './support.js';

describe('what a message says', () => {
  it.each([
    ['connect ECONNREFUSED 10.1.2.3:6379', 'connect ECONNREFUSED [address]:6379'],
    ['redis://user:hunter2@cache.internal:6379/0?x=1', 'redis://cache.internal:6379'],
    ['GET https://search.example/s?q=my+illness failed', 'GET https://search.example failed'],
    ['/search?q=secret', '/search'],
    ['mail for ann@example.org bounced', 'mail for [email] bounced'],
    ['from 2001:db8:0:0:8:800:200c:417a', 'from [address]'],
    ['from fe80::1', 'from [address]'],
    ['from ::1', 'from [address]'],
    ['password=hunter2', 'password=[secret]'],
    ['api_key: abc', 'api_key=[secret]'],
    ['Authorization: Bearer abc.def.ghi', 'Authorization: [secret]'],
    [`key ${'a1'.repeat(24)}`, 'key [secret]'],
    ['a\r\nb\u0000c\u2028d', 'a b c d'],
    ['The p99 is 1200 ms at 12:30:45', 'The p99 is 1200 ms at 12:30:45'],
  ])('makes of %j', (text, wanted) => {
    expect(clean(text)).toBe(wanted);
  });

  it('is one line of at most 200 characters without an address, whatever it was made of', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 3_000 }), fc.ipV4(), fc.emailAddress(), (text, address, mail) => {
        const line = clean(`${text} ${address} ${mail}`);
        expect(line.length).toBeLessThanOrEqual(200);
        expect(line).not.toMatch(/\p{Cc}/u);
        expect(line).not.toContain(address);
        expect(clean(line).length).toBeLessThanOrEqual(200);
      }),
      { numRuns: 300 },
    );
  });

  it('takes no long time over hostile text', () => {
    for (const text of [
      'a@'.repeat(50_000),
      'http://'.repeat(20_000),
      '?'.repeat(100_000),
      'f:'.repeat(50_000),
    ]) {
      expect(clean(text).length).toBeLessThanOrEqual(200);
    }
  });

  it('says of an error its code or its kind, never its message', () => {
    expect(nameOfError(Object.assign(new Error('secret'), { code: 'ECONNRESET' }))).toBe('ECONNRESET');
    expect(nameOfError(new TypeError('secret'))).toBe('TypeError');
    expect(nameOfError(new Error('secret'))).toBeUndefined();
    expect(nameOfError(Object.assign(new Error('x'), { code: 'a b <c>' }))).toBeUndefined();
    expect(nameOfError('secret')).toBeUndefined();
  });

  it('shows in no channel what a rule let slip', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    holds('http://u:pw@10.0.0.1/?q=illness', {
      title: 'ann@example.org asked 10.0.0.1 for /s?q=illness',
      details: ['token=hunter2'],
    });
    await pass(20_000);
    expect(inbox.received[0]?.body).toContain('[email] asked [address] for /s');
    expect(inbox.received[0]?.body).not.toMatch(/illness|hunter2|10\.0\.0\.1|ann@|pw/);
  });
});
