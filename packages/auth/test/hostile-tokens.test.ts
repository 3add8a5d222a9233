import { createHmac, createPublicKey, sign, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { keyRing, TokenError, tokens, type Algorithm, type Tokens } from '../src/index.js';
import { AUDIENCE, encode, ISSUER, keyOfEach, refusalOf, tokensWith } from './token-support.js';

const HS_SECRET = 'h'.repeat(32);
const keys = keyRing([
  { kid: 'hs', secret: HS_SECRET, state: 'active' },
  { ...keyOfEach.get('RS256'), kid: 'rs' },
]);
const auth = tokens({ keys, issuer: ISSUER, audience: AUDIENCE });
const good = { iss: ISSUER, aud: AUDIENCE, sub: 'u_1', exp: Math.floor(Date.now() / 1_000) + 600, jti: 'x' };

/** Signed with the right secret, whatever it says. */
function signed(claims: unknown, header: object = {}, secret: string | KeyObject = HS_SECRET): string {
  const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: 'hs', ...header })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** Whatever is asked with it, it is a TokenError and nothing else. */
async function isRefused(token: unknown, by: Tokens = auth): Promise<TokenError> {
  const text = token as string;
  const errors: [TokenError, ...TokenError[]] = [
    await refusalOf(() => by.check(text)),
    await refusalOf(() => by.verify(text)),
    await refusalOf(() => by.refresh(text)),
    await refusalOf(() => by.revoke(text)),
  ];
  for (const error of errors) {
    expect(error.status).toBe(401);
    expect(error.headers['WWW-Authenticate']).toMatch(/^Bearer error="invalid_token", error_description="/);
  }
  return errors[0];
}

describe('a token that was made up', () => {
  it('is accepted where it is signed with the secret, so that what follows is refused for its own reason', () => {
    expect(auth.check(signed(good)).subject).toBe('u_1');
  });

  it.each([
    ['nothing', '', 'missing'],
    ['no text', undefined, 'missing'],
    ['an object', { toString: (): string => 'x' }, 'missing'],
    ['one word', 'nonsense', 'malformed'],
    ['dots', '..', 'malformed'],
    ['four parts', `${signed(good)}.x`, 'malformed'],
    ['a blank at the end', `${signed(good)} `, 'malformed'],
    ['a line break in it', signed(good).replace('.', '.\n'), 'malformed'],
    ['base64 with padding', `${signed(good)}=`, 'malformed'],
    ['no JSON in its header', `${encode('{')}.${encode(good)}.AAAA`, 'header'],
    ['a list as its header', `${encode([])}.${encode(good)}.AAAA`, 'header'],
    ['null as its header', `${encode('null')}.${encode(good)}.AAAA`, 'header'],
    [
      'a long header',
      `${encode({ alg: 'HS256', kid: 'x'.repeat(2_000) })}.${encode(good)}.AAAA`,
      'malformed',
    ],
  ])('of %s is refused', async (_what, token, problem) => {
    expect(await isRefused(token)).toMatchObject({ code: 'invalid_token', problem });
  });

  it('of a megabyte is refused before any work', async () => {
    const giants = ['x'.repeat(1 << 20), `${signed(good)}${'A'.repeat(1 << 20)}`, '.'.repeat(1 << 20)];
    for (const giant of giants) {
      expect(await isRefused(giant)).toMatchObject({ code: 'invalid_token', problem: 'too_long' });
    }
  });

  it.each([
    ['none', { alg: 'none' }],
    ['NONE', { alg: 'NONE' }],
    ['another of the same kind', { alg: 'HS512' }],
    ['one of a key of another kind', { alg: 'RS256' }],
    ['one that is not there', { alg: '__proto__' }],
  ])('with the algorithm %s is refused', async (_what, header) => {
    const token = signed(good, header);
    expect(await isRefused(token)).toMatchObject({ code: 'invalid_token', problem: 'unknown_key' });
    expect(await isRefused(`${token.slice(0, token.lastIndexOf('.'))}.`)).toMatchObject({
      code: 'invalid_token',
    });
  });

  it.each([
    ['an algorithm', { alg: undefined }],
    ['an algorithm as text', { alg: ['HS256'] }],
    ['a type as text', { typ: 5 }],
    ['a kid as text', { kid: ['hs'] }],
    ['a kid as text', { kid: { toString: 'hs' } }],
    ['an extension that is understood', { crit: ['b64'], b64: false }],
    ['an extension that is understood', { crit: [] }],
  ])('without %s is refused', async (_what, header) => {
    expect(await isRefused(signed(good, header))).toMatchObject({ code: 'invalid_token', problem: 'header' });
  });

  it('signed as HS256 with the public key is refused', async () => {
    const rsa = createPublicKey(keyOfEach.get('RS256')?.privateKey as KeyObject);
    const pem = rsa.export({ format: 'pem', type: 'spki' }).toString();
    for (const kid of ['rs', 'hs', undefined]) {
      expect(await isRefused(signed(good, { kid }, pem))).toMatchObject({ code: 'invalid_token' });
      expect(await isRefused(signed(good, { kid }, pem.trim()))).toMatchObject({ code: 'invalid_token' });
    }
    const own = tokens({ keys: keyRing([keyOfEach.get('RS256') ?? {}]), issuer: ISSUER, audience: AUDIENCE });
    expect(await isRefused(signed(good, { kid: 'RS256' }, pem), own)).toMatchObject({
      code: 'invalid_token',
    });
  });

  it.each([
    '../../../../dev/null',
    "hs' OR '1'='1",
    'hs\u0000',
    'HS',
    '',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'http://127.0.0.1:1/key',
  ])('with the kid %j is refused', async (kid) => {
    for (const secret of ['', HS_SECRET]) {
      const token =
        secret === '' ? `${signed(good, { kid }).split('.', 2).join('.')}.AAAA` : signed(good, { kid });
      expect(await isRefused(token)).toMatchObject({ code: 'invalid_token', problem: 'unknown_key' });
    }
  });

  it('that brings its own key, or says where one is, is refused', async () => {
    const { privateKey } = keyOfEach.get('EdDSA') as { privateKey: KeyObject };
    const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
    for (const more of [
      { jwk },
      { jku: 'http://127.0.0.1:1/jwks' },
      { x5u: 'http://127.0.0.1:1/x' },
      { x5c: ['AAAA'] },
    ]) {
      for (const kid of [undefined, 'hs', 'rs', 'own']) {
        const input = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid, ...more })}.${encode(good)}`;
        const token = `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
        expect(await isRefused(token)).toMatchObject({ code: 'invalid_token', problem: 'unknown_key' });
      }
      // Beside the right key they are nothing.
      expect(auth.check(signed(good, more)).subject).toBe('u_1');
    }
  });

  it('is refused where its kind is wrong, so that neither kind stands in for the other', async () => {
    const { accessToken, refreshToken } = await auth.issue('u_1');
    expect(await refusalOf(() => auth.check(refreshToken))).toMatchObject({
      code: 'invalid_token',
      problem: 'type',
    });
    expect(await refusalOf(() => auth.verify(refreshToken))).toMatchObject({ problem: 'type' });
    expect(await refusalOf(() => auth.refresh(accessToken))).toMatchObject({ problem: 'type' });
    for (const typ of ['JWT', 'id+jwt', undefined, 'at+jwt ', 'logout+jwt']) {
      expect(await isRefused(signed(good, { typ }))).toMatchObject({
        code: 'invalid_token',
        problem: 'type',
      });
    }
    for (const typ of ['AT+JWT', 'application/at+jwt'])
      expect(auth.check(signed(good, { typ })).subject).toBe('u_1');
  });

  it.each([
    ['another issuer', { iss: 'https://other.example' }, 'issuer'],
    ['no issuer', { iss: undefined }, 'issuer'],
    ['a list of issuers', { iss: [ISSUER] }, 'issuer'],
    ['another audience', { aud: 'https://other.example' }, 'audience'],
    ['no audience', { aud: undefined }, 'audience'],
    ['other audiences', { aud: ['x', 5, null] }, 'audience'],
    ['no subject', { sub: undefined }, 'claims'],
    ['an empty subject', { sub: '' }, 'claims'],
    ['a number as its subject', { sub: 5 }, 'claims'],
    ['no expiry', { exp: undefined }, 'claims'],
    ['text as its expiry', { exp: '2999-01-01' }, 'claims'],
    ['an expiry that is no date', { exp: 1e300 }, 'claims'],
    ['a negative expiry', { exp: -1 }, 'claims'],
    ['text as nbf', { nbf: 'x' }, 'claims'],
    ['text as iat', { iat: 'x' }, 'claims'],
    ['text as iat_ms', { iat_ms: 'x' }, 'claims'],
    ['a list as jti', { jti: ['x'] }, 'claims'],
    ['a number as sid', { sid: 5 }, 'claims'],
  ])('for %s is refused', async (_what, claims, problem) => {
    expect(await refusalOf(() => auth.verify(signed({ ...good, ...claims })))).toMatchObject({
      code: 'invalid_token',
      problem,
    });
  });

  it('that says nothing, or no claims, is refused', async () => {
    for (const payload of ['', 'text', 'null', '[]', '5', '"x"', '{', []]) {
      expect(await isRefused(signed(payload))).toMatchObject({ code: 'invalid_token' });
    }
  });

  it('that is expired, or not valid yet, is refused as such', async () => {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    expect(await refusalOf(() => auth.verify(signed({ ...good, exp: nowSeconds })))).toMatchObject({
      status: 401,
      code: 'token_expired',
    });
    expect(await refusalOf(() => auth.verify(signed({ ...good, nbf: nowSeconds + 60 })))).toMatchObject({
      status: 401,
      code: 'token_not_active',
    });
    expect(auth.check(signed({ ...good, nbf: nowSeconds - 1 })).subject).toBe('u_1');
  });

  it('with prototypes among its claims changes no prototype', () => {
    const token = signed(`{"__proto__":{"roles":["admin"]},"constructor":5,${JSON.stringify(good).slice(1)}`);
    const verified = auth.check(token);
    expect(verified.roles).toEqual([]);
    expect(({} as { roles?: unknown }).roles).toBeUndefined();
  });

  it('nested as deep as it can be is refused or read, and breaks nothing', () => {
    const depth = 2_500;
    const deep = `{"deep":${'['.repeat(depth)}${']'.repeat(depth)},${JSON.stringify(good).slice(1)}`;
    expect(auth.check(signed(deep)).subject).toBe('u_1');
  });

  it('with a grant that is none cannot refresh', async () => {
    for (const grant of [
      undefined,
      null,
      5,
      {},
      { claims: null },
      { claims: {}, accessTtlMs: 'x', refreshTtlMs: 5 },
    ]) {
      const claims = { ...good, sid: 'family', chain: 'chain', auth_time: 5, grant };
      expect(await refusalOf(() => auth.refresh(signed(claims, { typ: 'rt+jwt' })))).toMatchObject({
        problem: 'claims',
      });
    }
  });
});

describe('any token', () => {
  const algorithms: Algorithm[] = ['HS256', 'RS256', 'ES256', 'EdDSA'];

  it.each(algorithms)('of %s is refused with any character changed, added or taken away', async (alg) => {
    const own = tokensWith({ keys: keyRing([keyOfEach.get(alg) ?? {}]), cacheSize: 10 });
    const { accessToken } = await own.issue('u_1', { roles: ['user'] });
    const character = fc.constantFrom(...Array.from('ABCxyz019-_.=+/ %\u0000é'));
    const at = fc.oneof(fc.nat(accessToken.length - 1), fc.constant(accessToken.length - 1));
    fc.assert(
      fc.property(at, character, fc.constantFrom(0, 1), fc.boolean(), (at, by, cut, isBare) => {
        const changed = accessToken.slice(0, at) + (isBare ? '' : by) + accessToken.slice(at + cut);
        if (changed === accessToken) return;
        expect(() => own.check(changed)).toThrow(TokenError);
      }),
      { numRuns: 400 },
    );
    for (let length = 0; length < accessToken.length; length += 7) {
      expect(() => own.check(accessToken.slice(0, length))).toThrow(TokenError);
    }
    expect(own.check(accessToken).subject).toBe('u_1');
  });

  it('or what is none is a TokenError, whatever it is', () => {
    const json = fc.jsonValue().map(encode);
    const part = fc.oneof(json, fc.string(), fc.constant(encode({ alg: 'HS256', kid: 'hs', typ: 'at+jwt' })));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(part, part, part).map((parts) => parts.join('.')),
        ),
        (token) => {
          expect(() => auth.check(token)).toThrow(TokenError);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('that is issued is verified, whatever the subject and the claims are', async () => {
    const own = tokensWith({ maxLength: 65_536 });
    const reserved = ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'iat_ms', 'exp', 'nbf', 'auth_time'];
    const names = fc.string().filter((name) => !reserved.includes(name));
    const claims = fc.dictionary(names, fc.jsonValue(), { maxKeys: 8 });
    const subjects = fc.string({ minLength: 1 }).filter((subject) => subject.trim() !== '');
    await fc.assert(
      fc.asyncProperty(subjects, claims, async (subject, claims) => {
        const { accessToken, refreshToken } = await own.issue(subject, claims);
        for (const token of [accessToken, (await own.refresh(refreshToken)).accessToken]) {
          const verified = await own.verify(token);
          expect(verified.subject).toBe(subject);
          const said = JSON.parse(JSON.stringify(claims)) as object;
          expect(JSON.parse(JSON.stringify(verified.claims))).toMatchObject(said);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('of another library with the same key is verified', () => {
    const token = jwt.sign({ ...good, roles: ['user'] }, HS_SECRET, {
      header: { alg: 'HS256', typ: 'at+jwt', kid: 'hs' },
    });
    expect(auth.check(token).roles).toEqual(['user']);
  });
});
