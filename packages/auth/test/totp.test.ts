import { testClock } from '@signalbox/testing';
import fc from 'fast-check';
import { HOTP, Secret, URI } from 'otpauth';
import { describe, expect, it } from 'vitest';
import { totp } from '../src/index.js';

const SECRETS = 'a secret of at least 32 bytes, for tests';
/** `12345678901234567890`, of RFC 6238 appendix B. */
const RFC_SECRET = Secret.fromUTF8('12345678901234567890').base32;

function at(seconds: number, window?: number): ReturnType<typeof totp> {
  return totp({ issuer: 'Signalbox', secrets: SECRETS, window, now: () => seconds * 1_000 });
}

function codeOf(secret: string, step: number): string {
  return HOTP.generate({ secret: Secret.fromBase32(secret), counter: step, digits: 6 });
}

describe('totp', () => {
  it.each([
    [59, '287082', 1],
    [1_111_111_109, '081804', 37_037_036],
    [1_111_111_111, '050471', 37_037_037],
    [1_234_567_890, '005924', 41_152_263],
    [2_000_000_000, '279037', 66_666_666],
    [20_000_000_000, '353130', 666_666_666],
  ])('agrees with RFC 6238 at second %i', (seconds, code, step) => {
    expect(at(seconds).verify(RFC_SECRET, code)).toBe(step);
  });

  it('makes secrets of 160 bits, and the URI that authenticators scan', () => {
    const factor = at(0);
    const secret = factor.secret();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(factor.secret()).not.toBe(secret);

    const uri = factor.uri('alice+tag@example.org', secret);
    expect(uri).toMatch(/^otpauth:\/\/totp\/Signalbox:alice%2Btag%40example\.org\?/);
    const parsed = URI.parse(uri);
    expect(parsed).toMatchObject({ issuer: 'Signalbox', label: 'alice+tag@example.org', algorithm: 'SHA1' });
    expect(parsed.secret.base32).toBe(secret);
  });

  it('accepts the step before and after, no other, and says which it was', () => {
    const step = 50_000_000;
    const factor = at(step * 30 + 7);
    for (const [offset, expected] of [
      [-2, undefined],
      [-1, step - 1],
      [0, step],
      [1, step + 1],
      [2, undefined],
    ] as const) {
      expect(factor.verify(RFC_SECRET, codeOf(RFC_SECRET, step + offset))).toBe(expected);
    }
    expect(at(step * 30, 0).verify(RFC_SECRET, codeOf(RFC_SECRET, step - 1))).toBeUndefined();
  });

  it('accepts a code once, and none of an earlier step thereafter', () => {
    const clock = testClock(1_500_000_000_000);
    const factor = totp({ issuer: 'Signalbox', secrets: SECRETS, now: clock.now });
    const secret = factor.secret();
    const step = 50_000_000;
    const used = factor.verify(secret, codeOf(secret, step));
    expect(used).toBe(step);
    expect(factor.verify(secret, codeOf(secret, step), null)).toBe(step);
    expect(() => factor.verify(secret, '123456', '7' as never)).toThrow(
      'totp: "lastStep" must be an integer',
    );
    expect(factor.verify(secret, codeOf(secret, step), used)).toBeUndefined();
    expect(factor.verify(secret, codeOf(secret, step - 1), used)).toBeUndefined();
    clock.advance(30_000);
    expect(factor.verify(secret, codeOf(secret, step + 1), used)).toBe(step + 1);
  });

  it('reads codes as people type them', () => {
    expect(at(59).verify(RFC_SECRET, ' 287 082 ')).toBe(1);
    expect(at(59).verify(RFC_SECRET, '287-082')).toBe(1);
    expect(at(59).verify(RFC_SECRET, '２８７０８２')).toBe(1);
  });

  it.each([
    '',
    '28708',
    '2870822',
    '28708a',
    '-28708',
    '1e5   ',
    'a'.repeat(1_000_000),
    null,
    undefined,
    287_082,
    {},
    ['287082'],
  ])('takes %j for no code', (code) => {
    expect(at(59).verify(RFC_SECRET, code as string)).toBeUndefined();
  });

  it('finds no code valid that was made with another secret', () => {
    fc.assert(
      fc.property(fc.nat(1e8), fc.constantFrom(-1, 0, 1), (step, offset) => {
        const factor = at(step * 30 + 30);
        const secret = factor.secret();
        const code = codeOf(secret, step + 1 + offset);
        expect(factor.verify(secret, code)).toBe(step + 1 + offset);
        // One in 333 333 by chance: what may be there is a step of the window.
        expect([undefined, step, step + 1, step + 2]).toContain(factor.verify(factor.secret(), code));
      }),
    );
  });

  it('stops at a stored secret that is none, and does not show it', () => {
    for (const secret of ['', 'too short', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ01', 'abcdefghijklmnopqrstuvwxyz']) {
      expect(() => at(0).verify(secret, '123456')).toThrow(
        'totp: "secret" must be of at least 128 bits in base32',
      );
      expect(() => at(0).verify(secret, '123456')).not.toThrow(/ABCD|abcd/);
    }
  });

  it.each([
    [{ secrets: SECRETS }, 'totp: "issuer" must be a non-empty string, got undefined'],
    [{ issuer: 'a:b', secrets: SECRETS }, 'totp: "issuer" must be without a colon, got "a:b"'],
    [{ issuer: 'x' }, 'totp: "secrets" must be a secret, or a list of them, got undefined'],
    [
      { issuer: 'x', secrets: 'short' },
      'totp: "secrets" must be of at least 32 bytes each, got text of 5 characters',
    ],
    [{ issuer: 'x', secrets: [] }, 'totp: "secrets" must be one secret at least, got an array'],
    [{ issuer: 'x', secrets: SECRETS, window: 3 }, 'totp: "window" must be an integer from 0 to 2, got 3'],
    [
      { issuer: 'x', secrets: SECRETS, windows: 1 },
      'totp: "windows" is not an option; did you mean "window"?',
    ],
  ])('refuses %o at construction', (options, message) => {
    expect(() => totp(options as Parameters<typeof totp>[0])).toThrow(message);
  });
});

describe('recovery codes', () => {
  const factor = at(0);

  it('are ten that differ, easy to read, and kept only as hashes', () => {
    const { codes, hashes } = factor.recoveryCodes();
    expect(new Set(codes)).toHaveLength(10);
    expect(new Set(hashes)).toHaveLength(10);
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}$/);
    for (const hash of hashes) expect(hash).toMatch(/^[\w-]{43}$/);
    expect(factor.recoveryCodes(3).codes).toHaveLength(3);
  });

  it('name the hash they stand for, so that deleting it uses them up', () => {
    const { codes, hashes } = factor.recoveryCodes();
    let left: readonly string[] = hashes;
    for (const [index, code] of codes.entries()) {
      const used = factor.recoveryHash(code, left);
      expect(used).toBe(hashes[index]);
      left = left.filter((hash) => hash !== used);
      expect(factor.recoveryHash(code, left)).toBeUndefined();
    }
  });

  it('are found however they are typed', () => {
    const { codes, hashes } = factor.recoveryCodes(50);
    for (const [index, code] of codes.entries()) {
      const typed = code
        .toUpperCase()
        .replaceAll('-', ' – ')
        .replaceAll('0', 'O')
        .replace('1', 'l')
        .replace('1', 'I');
      expect(factor.recoveryHash(typed, hashes)).toBe(hashes[index]);
    }
  });

  it.each(['', 'k3m9-x2dp', 'k3m9-x2dp-7hqt', 'u'.repeat(12), 'a'.repeat(1_000_000), null, 42, {}])(
    'are not made up: %j',
    (code) => {
      expect(factor.recoveryHash(code as string, factor.recoveryCodes().hashes)).toBeUndefined();
    },
  );

  it('outlive a new secret as long as the old one is listed, and are worth nothing under another', () => {
    const { codes, hashes } = factor.recoveryCodes(1);
    const newer = 'another secret of at least 32 bytes long';
    const rotated = totp({ issuer: 'Signalbox', secrets: [newer, SECRETS] });
    expect(rotated.recoveryHash(codes[0] ?? '', hashes)).toBe(hashes[0]);
    const foreign = totp({ issuer: 'Signalbox', secrets: newer });
    expect(foreign.recoveryHash(codes[0] ?? '', hashes)).toBeUndefined();
  });

  it('keyed by the secret of their account outlive every other secret', () => {
    const secret = factor.secret();
    const { codes, hashes } = factor.recoveryCodes(3, secret);
    const rotated = totp({ issuer: 'Signalbox', secrets: 'another secret of at least 32 bytes long' });
    for (const [index, code] of codes.entries()) {
      expect(rotated.recoveryHash(code, hashes, secret)).toBe(hashes[index]);
      expect(rotated.recoveryHash(code, hashes, factor.secret())).toBeUndefined();
      expect(factor.recoveryHash(code, hashes)).toBeUndefined();
    }
    expect(() => factor.recoveryCodes(3, 'too short')).toThrow('totp: "secret" must be of at least 128 bits');
  });

  it('made without the secret of their account are known beside those made with it', () => {
    const secret = factor.secret();
    const [before, after] = [factor.recoveryCodes(2), factor.recoveryCodes(2, secret)];
    const hashes = [...before.hashes, ...after.hashes];
    for (const [index, code] of [...before.codes, ...after.codes].entries()) {
      expect(factor.recoveryHash(code, hashes, secret)).toBe(hashes[index]);
    }
  });

  it.each([0, 51, 1.5])('are not %s', (count) => {
    expect(() => factor.recoveryCodes(count)).toThrow('totp: "count" must be an integer from 1 to 50');
  });
});
