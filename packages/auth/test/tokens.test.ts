import { errorHandler } from '@signalbox/errors';
import { listen, testClock } from '@signalbox/testing';
import express from 'express';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { keyRing, memoryTokenStore, secretKeys, tokens } from '../src/index.js';
import {
  AUDIENCE,
  hearing,
  ISSUER,
  keyOfEach,
  partsOf,
  refusalOf,
  SECRET,
  tokensWith,
} from './token-support.js';

const START_MS = 1_700_000_000_400;

describe('tokens', () => {
  it('issues a pair of which the access token says who somebody is', async () => {
    const auth = tokensWith();
    const pair = await auth.issue('u_1', {
      roles: ['admin'],
      scope: 'search history',
      plan: { name: 'pro' },
    });
    expect(pair).toMatchObject({ expiresIn: 900, tokenType: 'Bearer' });

    const verified = await auth.verify(pair.accessToken);
    expect(verified).toMatchObject({
      subject: 'u_1',
      method: 'token',
      roles: ['admin'],
      scopes: ['search', 'history'],
      claims: { iss: ISSUER, aud: AUDIENCE, sub: 'u_1', plan: { name: 'pro' } },
    });
    expect(verified.expiresAtMs - verified.issuedAtMs).toBeGreaterThan(898_000);
    expect(Math.abs((verified.authenticatedAtMs ?? 0) - Date.now())).toBeLessThan(5_000);
    expect(auth.check(pair.accessToken)).toBe(verified);
  });

  it('issues what other libraries understand (RFC 9068)', async () => {
    const { accessToken } = await tokensWith({
      keys: keyRing([{ kid: 'shared', secret: 'x'.repeat(32) }]),
    }).issue('u_1');
    expect(partsOf(accessToken).header).toEqual({ alg: 'HS256', typ: 'at+jwt', kid: 'shared' });
    const claims = jwt.verify(accessToken, 'x'.repeat(32), { issuer: ISSUER, audience: AUDIENCE });
    expect(claims).toMatchObject({ sub: 'u_1', iss: ISSUER, aud: AUDIENCE });
    const { iat, iat_ms, exp, jti } = claims as Record<string, number>;
    expect(Number.isInteger(iat)).toBe(true);
    expect(Number.isInteger(exp)).toBe(true);
    expect(Math.abs((iat ?? 0) * 1_000 - (iat_ms ?? 0))).toBeLessThan(2_000);
    expect(jti).toMatch(/^[\w-]{22,}$/);
  });

  it('gives what nobody can write to, since requests share it', async () => {
    const auth = tokensWith();
    const { accessToken } = await auth.issue('u_1', { roles: ['user'], deep: { list: [{}] } });
    const verified = auth.check(accessToken);
    for (const part of [verified, verified.roles, verified.claims, verified.claims['deep']]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => (verified.roles as string[]).push('admin')).toThrow(TypeError);
  });

  it.each([
    [{ scope: 'a  b ' }, ['a', 'b']],
    [{ scopes: ['a', 'b'] }, ['a', 'b']],
    [{ scp: ['a', 5, ''] }, ['a']],
    [{ scope: 7 }, []],
    [{}, []],
  ])('reads the scopes of %o', async (claims, scopes) => {
    const auth = tokensWith();
    expect(auth.check((await auth.issue('u_1', claims)).accessToken).scopes).toEqual(scopes);
  });

  it('refuses a token from the moment that it expires, be it remembered or not', async () => {
    for (const cacheSize of [0, 100]) {
      const clock = testClock(START_MS);
      const auth = tokensWith({ now: clock.now, accessTtlMs: 10_000, cacheSize });
      const { accessToken } = await auth.issue('u_1');
      clock.advance(9_599);
      expect((await auth.verify(accessToken)).subject).toBe('u_1');
      clock.advance(1);
      const error = await refusalOf(() => auth.verify(accessToken));
      expect(error).toMatchObject({ status: 401, code: 'token_expired', message: 'The token has expired' });
      expect(await refusalOf(() => auth.check(accessToken))).toMatchObject({ code: 'token_expired' });
    }
  });

  it('allows for clocks that differ as far as it is told to', async () => {
    const clock = testClock(START_MS);
    const auth = tokensWith({ now: clock.now, accessTtlMs: 10_000, clockToleranceMs: 5_000 });
    const { accessToken } = await auth.issue('u_1');
    clock.advance(14_599);
    expect(auth.check(accessToken).subject).toBe('u_1');
    clock.advance(1);
    expect(await refusalOf(() => auth.check(accessToken))).toMatchObject({ code: 'token_expired' });
  });

  it('answers 401 with the challenge of RFC 6750 through the error handler', async () => {
    const auth = tokensWith();
    const { accessToken } = await auth.issue('u_1');
    await auth.revoke(accessToken);
    const app = express();
    app.get('/', async (req, res) => {
      const token = await auth.verify(req.get('authorization')?.slice('Bearer '.length) ?? '');
      res.json({ subject: token.subject });
    });
    app.use(errorHandler());
    const url = await listen(app);

    const asks: [string, string][] = [
      ['nonsense', 'invalid_token'],
      [accessToken, 'token_revoked'],
    ];
    for (const [token, code] of asks) {
      const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(
        /^Bearer error="invalid_token", error_description="The token [a-z ]+"$/,
      );
      const body = (await answer.json()) as { error: object };
      expect(body.error).toMatchObject({ type: code });
      expect(JSON.stringify(body)).not.toContain('problem');
    }
  });

  it('adds what the app says of a subject, when somebody signs in and at each refresh', async () => {
    let roles = ['user'];
    const auth = tokensWith({ claims: async (...asked) => ({ roles, seen: asked }) });
    const first = await auth.issue('u_1', { roles: ['guest'], team: 7 }, { family: 'a sign-in' });
    const seen = ['u_1', { roles: ['guest'], team: 7 }, 'a sign-in'];
    expect(auth.check(first.accessToken)).toMatchObject({ roles: ['user'], claims: { team: 7, seen } });
    roles = ['user', 'admin'];
    const second = await auth.refresh(first.refreshToken);
    expect(auth.check(second.accessToken)).toMatchObject({
      roles: ['user', 'admin'],
      claims: { team: 7, seen },
    });
  });

  it('does not use up a refresh token when the app refuses the refresh', async () => {
    let isBanned = true;
    const auth = tokensWith({
      graceMs: 0,
      claims(_subject, given) {
        if (isBanned && given['kept'] === true) throw new Error('banned');
        return undefined;
      },
    });
    isBanned = false;
    const { refreshToken } = await auth.issue('u_1', { kept: true });
    isBanned = true;
    await expect(auth.refresh(refreshToken)).rejects.toThrow('banned');
    isBanned = false;
    expect((await auth.refresh(refreshToken)).tokenType).toBe('Bearer');
  });

  it('remembers when somebody signed in over all refreshes', async () => {
    const clock = testClock(START_MS);
    const store = memoryTokenStore({ now: clock.now });
    const auth = tokensWith({ now: clock.now, store });
    const first = await auth.issue('u_1');
    clock.advance(600_000);
    const second = await auth.refresh(first.refreshToken);
    const token = auth.check(second.accessToken);
    expect(token.authenticatedAtMs).toBe(1_700_000_000_000);
    expect(token.issuedAtMs).toBe(START_MS + 600_000);
    expect(token.family).toBe(auth.check(first.accessToken).family);
  });

  it('issues shorter tokens to some, and keeps them so', async () => {
    const clock = testClock(START_MS);
    const auth = tokensWith({ now: clock.now, store: memoryTokenStore({ now: clock.now }) });
    const guest = await auth.issue('guest', {}, { accessTtlMs: 60_000, refreshTtlMs: 1_800_000 });
    expect(guest.expiresIn).toBe(60);
    const next = await auth.refresh(guest.refreshToken);
    expect(next.expiresIn).toBe(60);
    clock.advance(1_800_000);
    expect(await refusalOf(() => auth.refresh(next.refreshToken))).toMatchObject({ code: 'token_expired' });
  });

  it.each([
    ['exp', { exp: 5 }],
    ['sub', { sub: 'admin' }],
    ['iat_ms', { iat_ms: 5 }],
  ])('refuses to issue with a claim %s of the app', async (name, claims) => {
    const words = `"claims" must not have "${name}", which the token has of itself`;
    await expect(tokensWith().issue('u_1', claims)).rejects.toThrow(new TypeError(`issue: ${words}`));
    await expect(tokensWith({ claims: () => claims as never }).issue('u_1')).rejects.toThrow(words);
  });

  it('refuses to issue what it would not accept', async () => {
    await expect(tokensWith().issue('')).rejects.toThrow('issue: "subject" must be a non-empty string');
    await expect(tokensWith().issue('u_1', [] as never)).rejects.toThrow('issue: "claims" must be an object');
    await expect(tokensWith().issue('u_1', { text: 'x'.repeat(8_000) })).rejects.toThrow(
      'tokens: claims must fit into a token of "maxLength" 8192 characters',
    );
    await expect(tokensWith().issue('u_1', {}, { accessTtlMs: 900_001 })).rejects.toThrow(
      'issue: "accessTtlMs" must be an integer from 1000 to 900000, got 900001',
    );
  });

  it('says what happens by signals', async () => {
    const { tokens: heard } = hearing();
    const auth = tokensWith({ graceMs: 0 });
    const { accessToken, refreshToken } = await auth.issue('u_1');
    await auth.verify(accessToken);
    await auth.refresh(refreshToken);
    await refusalOf(() => auth.refresh(refreshToken));
    await refusalOf(() => auth.verify(accessToken));
    await refusalOf(() => auth.verify('nonsense'));
    await auth.revokeAll('u_1');
    expect(heard.map(({ event, kind, code }) => [event, kind, code].join(' ').trim())).toEqual([
      'issued access',
      'verified access',
      'refreshed refresh',
      'reused refresh token_reused',
      'refused refresh token_reused',
      'refused access token_revoked',
      'refused access invalid_token',
      'revoked access',
    ]);
  });

  it('publishes its public keys, and no secret', async () => {
    const rsa = keyOfEach.get('RS256') ?? {};
    const auth = tokensWith({ keys: keyRing([rsa, ...secretKeys(SECRET)]) });
    const app = express();
    app.get('/.well-known/jwks.json', auth.jwksRoute());
    const answer = await fetch(`${await listen(app)}/.well-known/jwks.json`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/jwk-set\+json/);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    const { keys } = (await answer.json()) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0] ?? {}).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(keys[0]).toMatchObject({ kid: 'RS256', alg: 'RS256', use: 'sig', kty: 'RSA' });
  });

  it.each([
    [{ issuer: '' }, '"issuer" must be a non-empty string, or a list of such, got ""'],
    [{ audience: [] }, '"audience" must be a non-empty string, or a list of such, got an array'],
    [{ keys: 'secret' }, '"keys" must be keyRing() or remoteJwks(), got "secret"'],
    [{ store: {} }, '"store" must be memoryTokenStore() or redisTokenStore(), got an object'],
    [{ bus: 5 }, '"bus" must be a revocationBus(), got 5'],
    [{ accessTtlMs: 0 }, '"accessTtlMs" must be an integer from 1000 to 86400000, got 0'],
    [{ refreshTtlMs: 1_000 }, '"refreshTtlMs" must be an integer from 900000 to 315360000000, got 1000'],
    [{ graceMs: -1 }, '"graceMs" must be an integer from 0 to 600000, got -1'],
    [{ onStoreDown: 'local' }, '"onStoreDown" must be "closed" or "open", got "local"'],
    [{ types: ['rt+jwt'] }, '"types" must be a list of types other than "rt+jwt", got an array'],
    [{ types: 'JWT' }, '"types" must be a list of types other than "rt+jwt", got "JWT"'],
    [{ maxLength: 5 }, '"maxLength" must be an integer from 256 to 65536, got 5'],
    [{ claims: {} }, '"claims" must be a function, got an object'],
    [{ accessTTLMs: 5 }, '"accessTTLMs" is not an option; did you mean "accessTtlMs"?'],
  ])('refuses %o', (option, message) => {
    const options = { keys: keyRing(secretKeys(SECRET)), issuer: ISSUER, audience: AUDIENCE, ...option };
    expect(() => tokens(options as never)).toThrow(new TypeError(`tokens: ${message}`));
  });
});
