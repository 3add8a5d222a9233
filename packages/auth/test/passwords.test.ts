import { scryptSync } from 'node:crypto';
import { assertNeverHangs } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashPassword, needsRehash, passwords, verifyPassword, type PasswordsOptions } from '../src/index.js';

/** As cheap as it gets: what is tested here is not the cost. */
const CHEAP = { logN: 10 } as const;
const PASSWORD = 'correct horse battery staple';

describe('hashPassword', () => {
  it('makes a PHC string at the cost that OWASP asks for, which verifies', async () => {
    const hash = await hashPassword(PASSWORD);
    expect(hash).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(needsRehash(hash)).toBe(false);
    expect(await verifyPassword(PASSWORD, hash)).toBe(true);
    expect(await verifyPassword(`${PASSWORD}!`, hash)).toBe(false);
  });
});

describe('passwords', () => {
  const cheap = passwords(CHEAP);
  const hash = (password: string): Promise<string> => cheap.hash(password);
  const verify = (password: string, kept: string | null | undefined): Promise<boolean> =>
    cheap.verify(password, kept);

  it('gives the same password another hash each time', async () => {
    expect(await hash(PASSWORD)).not.toBe(await hash(PASSWORD));
  });

  it('verifies what any other scrypt has made of it', async () => {
    const salt = Buffer.alloc(16, 7);
    const digest = scryptSync(PASSWORD, salt, 32, { N: 2 ** 11, r: 4, p: 2 });
    const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
    const kept = `$scrypt$ln=11,r=4,p=2$${unpadded(salt)}$${unpadded(digest)}`;
    expect(await verify(PASSWORD, kept)).toBe(true);
    expect(await verify('wrong', kept)).toBe(false);
  });

  it('verifies what it hashed and nothing else, whatever people type', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        async (one, other) => {
          const kept = await hash(one);
          expect(await verify(one, kept)).toBe(true);
          expect(await verify(other, kept)).toBe(one.normalize('NFKC') === other.normalize('NFKC'));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('takes a password for the same however its letters are composed', async () => {
    expect(await verify('Cafe\u0301 \uFF11\uFF12', await hash('Caf\u00E9 12'))).toBe(true);
  });

  it('reads past a NUL, and up to the last of 256 characters', async () => {
    expect(await verify('before\0after', await hash('before\0other'))).toBe(false);
    const long = 'é'.repeat(255);
    expect(await verify(`${long}b`, await hash(`${long}a`))).toBe(false);
    expect(await verify('🐢'.repeat(256), await hash('🐢'.repeat(256)))).toBe(true);
  });

  it.each([
    ['a million characters', 'a'.repeat(1_000_000)],
    ['257 characters', 'a'.repeat(257)],
    ['what normalizes to thousands', '\uFDFA'.repeat(256)],
    ['half a character', 'secret \uD800 word'],
    ['no text', 42],
    ['nothing', undefined],
  ])('neither keeps %s nor lets it in', async (_what, password) => {
    await expect(hash(password as string)).rejects.toMatchObject({ status: 422, code: 'invalid_password' });
    expect(await verify(password as string, await hash('secret \uFFFD word'))).toBe(false);
    expect(await verify(password as string, await hash(''))).toBe(false);
  });

  it.each([
    undefined,
    null,
    '',
    'hunter2',
    '$2b$10$abcdefghijklmnopqrstuv',
    '$scrypt$ln=30,r=8,p=1$c2FsdHNhbHRz$aGFzaGhhc2hoYXNoaGFzaA',
  ])('lets nobody in by the hash %j, and computes one all the same', async (kept) => {
    const slow = passwords({ logN: 14 });
    const real = await slow.hash(PASSWORD);
    const [known, unknown] = [
      await cpuMs(() => slow.verify('wrong', real)),
      await cpuMs(() => slow.verify('wrong', kept)),
    ];
    expect(await slow.verify('', kept)).toBe(false);
    // Not a measurement: the work is there at all. Skipping it takes a thousandth.
    expect(unknown).toBeGreaterThan(known / 10);
  });

  it.each([
    [{ logN: 11 }, true],
    [{ logN: 10, blockSize: 4 }, true],
    [{ logN: 10, parallelism: 2 }, true],
    [CHEAP, false],
  ])('says whether a hash was made at another cost than %o', async (cost, expected) => {
    expect(passwords(cost).needsRehash(await hash(PASSWORD))).toBe(expected);
    expect(passwords(cost).needsRehash('from another library')).toBe(true);
  });

  it('computes few at once, lets some wait in order, and refuses the rest with 503', async () => {
    const few = passwords({ logN: 13, maxAtOnce: 1, maxWaiting: 2 });
    const order: number[] = [];
    const all = Array.from({ length: 5 }, (_, index) =>
      few.hash(PASSWORD).then((made) => {
        order.push(index);
        return made;
      }),
    );
    const outcomes = await assertNeverHangs(all, { withinMs: 10_000 });
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(order).toEqual([0, 1, 2]);
    expect(outcomes[4]).toMatchObject({
      reason: { status: 503, code: 'passwords_busy', retryAfterSeconds: 2, expose: true },
    });
    expect(await few.hash(PASSWORD)).toMatch(/^\$scrypt\$/);
  });

  it('leaves out what nobody waits for any more, and goes on with the next', async () => {
    const few = passwords({ logN: 13, maxAtOnce: 1, maxWaiting: 2 });
    const control = new AbortController();
    const first = few.hash(PASSWORD);
    const left = few.hash(PASSWORD, { signal: control.signal });
    const last = few.hash(PASSWORD);
    control.abort(new Error('the client is gone'));
    await expect(left).rejects.toThrow('the client is gone');
    expect(await Promise.all([first, last])).toHaveLength(2);
    await expect(few.hash(PASSWORD, { signal: control.signal })).rejects.toThrow('the client is gone');
    expect(await few.hash(PASSWORD)).toMatch(/^\$scrypt\$/);
  });

  it.each([
    [{ logN: 9 }, 'passwords: "logN" must be an integer from 10 to 20, got 9'],
    [{ logN: 20, blockSize: 8 }, 'passwords: "logN" must be such that a hash takes 256 MiB at most'],
    [{ blockSize: 0 }, 'passwords: "blockSize" must be an integer'],
    [{ parallelism: 1.5 }, 'passwords: "parallelism" must be an integer'],
    [{ maxAtOnce: 0 }, 'passwords: "maxAtOnce" must be an integer of at least 1, got 0'],
    [{ maxWaiting: -1 }, 'passwords: "maxWaiting" must be an integer of at least 0, got -1'],
    [{ maxWait: 1 }, 'passwords: "maxWait" is not an option; did you mean "maxWaiting"?'],
  ])('refuses %o at construction', (options, message) => {
    expect(() => passwords(options as PasswordsOptions)).toThrow(message);
  });
});

async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
