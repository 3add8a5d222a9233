import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyRing, pemKeys, secretKeys, type KeyEntry } from '../src/index.js';
import { hearing, keyOfEach, partsOf, refusalOf, SECRET, tokensWith } from './token-support.js';

const secret = (kid: string): KeyEntry => ({ kid, secret: kid.repeat(32).slice(0, 32) });

function pemOf(key: unknown): string {
  return (key as KeyObject).export({ format: 'pem', type: 'pkcs8' }).toString();
}

describe('keyRing', () => {
  it('rotates keys without signing anybody out', async () => {
    const ring = keyRing([secret('old')]);
    const auth = tokensWith({ keys: ring });
    const first = await auth.issue('u_1');
    const kidOf = (token: string): unknown => partsOf(token).header['kid'];

    ring.replace([
      { ...secret('old'), state: 'active' },
      { ...secret('new'), state: 'next' },
    ]);
    expect(kidOf((await auth.issue('u_1')).accessToken)).toBe('old');
    ring.replace([
      { ...secret('new'), state: 'active' },
      { ...secret('old'), state: 'retired' },
    ]);
    expect(auth.check(first.accessToken).subject).toBe('u_1');
    const second = await auth.refresh(first.refreshToken);
    expect(kidOf(second.accessToken)).toBe('new');
    expect(auth.check(second.accessToken).subject).toBe('u_1');

    // Once the old key is gone, so is what it signed, remembered or not.
    expect(auth.check(first.accessToken).subject).toBe('u_1');
    ring.replace([secret('new')]);
    expect(await refusalOf(() => auth.check(first.accessToken))).toMatchObject({ problem: 'unknown_key' });
    expect(auth.check(second.accessToken).subject).toBe('u_1');
  });

  it('accepts what the next key signed, since other processes may be ahead', async () => {
    const ahead = tokensWith({ keys: keyRing([secret('new'), secret('old')]) });
    const behind = tokensWith({ keys: keyRing([secret('old'), { ...secret('new'), state: 'next' }]) });
    expect(behind.check((await ahead.issue('u_1')).accessToken).subject).toBe('u_1');
  });

  it('moves from one algorithm to another', async () => {
    const before = tokensWith({ keys: keyRing(secretKeys(SECRET)) });
    const after = tokensWith({
      keys: keyRing([...pemKeys(pemOf(keyOfEach.get('ES256')?.privateKey)), ...secretKeys(SECRET)]),
    });
    expect(after.check((await before.issue('u_1')).accessToken).subject).toBe('u_1');
    expect(partsOf((await after.issue('u_1')).accessToken).header['alg']).toBe('ES256');
  });

  it('keeps what it has when the new keys are wrong', async () => {
    const ring = keyRing([secret('old')]);
    const auth = tokensWith({ keys: ring });
    const { accessToken } = await auth.issue('u_1');
    expect(() => ring.replace([])).toThrow(TypeError);
    expect(auth.check(accessToken).subject).toBe('u_1');
  });

  it('verifies with public keys alone, and cannot issue', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    const { accessToken } = await tokensWith({ keys: keyRing([{ privateKey }]) }).issue('u_1');
    const auth = tokensWith({ keys: keyRing([{ publicKey: pem }]) });
    expect(auth.check(accessToken).subject).toBe('u_1');
    await expect(auth.issue('u_1')).rejects.toThrow('issue: "keys" must have an active key to sign with');
  });

  it('takes a token that does not name its key only where one can be meant', async () => {
    const nameless = ({ kid: _kid, ...entry }: KeyEntry): KeyEntry => entry;
    const { accessToken } = await tokensWith({
      keys: keyRing([nameless(keyOfEach.get('ES256') ?? {})]),
    }).issue('u_1');
    expect(partsOf(accessToken).header['kid']).toMatch(/^[\w-]{43}$/);
    const ring = keyRing([secret('one'), keyOfEach.get('RS256') ?? {}]);
    expect(ring.find(undefined, 'HS256')?.kid).toBe('one');
    ring.replace([secret('one'), secret('two')]);
    expect(ring.find(undefined, 'HS256')).toBeUndefined();
    expect(ring.find('one', 'HS512')).toBeUndefined();
  });

  it('derives its keys from secrets, newest first, so that none serves two purposes', async () => {
    const [newest, oldest] = [`new ${SECRET}`, `old ${SECRET}`];
    const [derived] = secretKeys(newest);
    expect(derived?.kid).toMatch(/^[\w-]{16}$/);
    expect(Buffer.from(derived?.secret as Uint8Array).toString()).not.toContain('new');
    const before = tokensWith({ keys: keyRing(secretKeys(oldest)) });
    const after = tokensWith({ keys: keyRing(secretKeys([newest, oldest])) });
    const { accessToken } = await before.issue('u_1');
    expect(after.check(accessToken).subject).toBe('u_1');
    expect(await refusalOf(async () => before.check((await after.issue('u_1')).accessToken))).toMatchObject({
      problem: 'unknown_key',
    });
    expect(secretKeys(newest, { alg: 'HS512' })[0]?.kid).not.toBe(derived?.kid);
  });

  const { privateKey: short } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const rsa = keyOfEach.get('RS256')?.privateKey;
  const p256 = keyOfEach.get('ES256')?.privateKey;

  it.each([
    [[], '"keys" must be a list of at least one key, got an array'],
    ['secret', '"keys" must be a list of at least one key, got "secret"'],
    [[5], '"keys[0]" must be an object, got 5'],
    [[{}], '"keys[0]" must have exactly one of secret, privateKey, publicKey'],
    [[{ secret: 'x', privateKey: 'y' }], '"keys[0]" must have exactly one of secret, privateKey, publicKey'],
    [
      [{ kid: 'a', secret: 'short' }],
      '"keys[0].secret" must be a secret of at least 32 bytes for HS256, got text of 5 characters',
    ],
    [
      [{ kid: 'a', alg: 'HS512', secret: 'x'.repeat(32) }],
      '"keys[0].secret" must be a secret of at least 64 bytes for HS512, got text of 32 characters',
    ],
    [
      [{ secret: 'x'.repeat(32) }],
      '"keys[0].kid" must be up to 128 letters, digits and "._~:-", got undefined',
    ],
    [
      [{ kid: 'a b', secret: 'x'.repeat(32) }],
      '"keys[0].kid" must be up to 128 letters, digits and "._~:-", got "a b"',
    ],
    [
      [{ privateKey: 'no key' }],
      '"keys[0].privateKey" must be a private key as PEM, got text of 6 characters',
    ],
    [
      [{ privateKey: short }],
      '"keys[0].privateKey" must be an RSA key of at least 2048 bits for RS256, got an object',
    ],
    [
      [{ privateKey: rsa, alg: 'ES256' }],
      '"keys[0].privateKey" must be a key on the curve of ES256, got an object',
    ],
    [
      [{ privateKey: p256, alg: 'ES384' }],
      '"keys[0].privateKey" must be a key on the curve of ES384, got an object',
    ],
    [
      [{ privateKey: rsa, alg: 'HS256' }],
      '"keys[0].privateKey" must be a secret of at least 32 bytes for HS256, got an object',
    ],
    [
      [{ privateKey: rsa, alg: 'EdDSA' }],
      '"keys[0].privateKey" must be an Ed25519 or Ed448 key for EdDSA, got an object',
    ],
    [[{ kid: 'a', secret: rsa }], '"keys[0].secret" must be a secret key, got a private one'],
    [[{ publicKey: rsa }], '"keys[0].publicKey" must be a public key, got a private one'],
    [[{ publicKey: pemOf(rsa) }], '"keys[0].publicKey" must be a public key, got a private one'],
    [[{ privateKey: rsa, alg: 'none' }], /"keys\[0\].alg" must be "HS256" or .* got "none"$/],
    [
      [{ privateKey: rsa, state: 'old' }],
      '"keys[0].state" must be "next" or "active" or "retired", got "old"',
    ],
    [[{ privateKey: rsa, key: 5 }], /"keys\[0\]": "key" is not an option/],
    [[secret('a'), secret('a')], '"keys" must have a kid of its own each'],
    [
      [
        { ...secret('a'), state: 'active' },
        { ...secret('b'), state: 'active' },
      ],
      '"keys" must have one active key, got more',
    ],
  ])('refuses %o', (keys, message) => {
    const words = typeof message === 'string' ? new TypeError(`keyRing: ${message}`) : message;
    expect(() => keyRing(keys as never)).toThrow(words);
  });

  it('refuses secrets and PEMs that are none, and shows nothing of them', () => {
    expect(() => secretKeys('short secret')).toThrow(
      new TypeError('secretKeys: "secrets" must be of at least 32 bytes each, got text of 12 characters'),
    );
    expect(() => secretKeys([])).toThrow('secretKeys: "secrets" must be one secret at least, got an array');
    expect(() => secretKeys(SECRET, { alg: 'RS256' as never })).toThrow(
      'secretKeys: "alg" must be "HS256" or',
    );
    expect(() => pemKeys([undefined as never])).toThrow('pemKeys: "pems" must be text or bytes');
    expect(() =>
      keyRing(pemKeys(['-----BEGIN', 'KEY-----\nc2VjcmV0\n-----END', 'KEY-----'].join(' PRIVATE '))),
    ).toThrow(/^keyRing: "keys\[0\].privateKey" must be a private key as PEM, got text of \d+ characters$/);
  });
});

it('a key that is published says nothing of its private half', () => {
  for (const [alg, key] of keyOfEach) {
    const [jwk] = keyRing([key]).jwks().keys;
    if (alg.startsWith('HS')) expect(jwk).toBeUndefined();
    else for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(jwk).not.toHaveProperty(part);
  }
  expect(hearing().tokens).toEqual([]);
});
