import { createHmac, createSecretKey } from 'node:crypto';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { authenticated, client, listen, testClock, type TokenClaims } from '../src/index.js';

const secret = 'a secret of at least thirty-two bytes';

/** Says which credentials arrived, and hands out a cookie. */
function whoami(): express.Express {
  const app = express();
  app.get('/cookie', (_req, res) => {
    res.cookie('seen', 'yes').sendStatus(204);
  });
  app.get('/away', (req, res) => {
    res.redirect(new URL(req.originalUrl, 'http://any').searchParams.get('to') ?? '/');
  });
  app.all('/{*rest}', (req, res) => {
    const { authorization = null, cookie = null } = req.headers;
    res.json({ method: req.method, authorization, cookie });
  });
  return app;
}

interface Seen {
  method: string;
  authorization: string | null;
  cookie: string | null;
}

async function seen(response: Promise<Response>): Promise<Seen> {
  return (await (await response).json()) as Seen;
}

/** Header and claims of the token that a server got, whose signature must be right. */
async function tokenSeen(response: Promise<Response>): Promise<{ header: unknown; claims: TokenClaims }> {
  const { authorization } = await seen(response);
  const [header = '', claims = '', signature] = (authorization ?? '').replace('Bearer ', '').split('.');
  const right = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url');
  expect(signature).toBe(right);
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), claims: read(claims) as TokenClaims };
}

describe('authenticated', () => {
  it('sends a token that it is given with every request, whatever the method', async () => {
    const ada = authenticated(client(await listen(whoami())), { token: 'abc.def' });

    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      expect(await seen(ada[method]('/'))).toMatchObject({
        method: method.toUpperCase(),
        authorization: 'Bearer abc.def',
      });
    }
    expect((await ada.request('OPTIONS', '/')).status).toBe(200);
  });

  it('signs claims with HS256, and adds a time, an expiry after 15 minutes and an id', async () => {
    const { now } = testClock(1_700_000_000_999);
    const visitor = client(await listen(whoami()));
    const claims = { sub: 'ada', roles: ['admin'], scopes: ['search'], tenant: 7 };
    const sent = await tokenSeen(authenticated(visitor, claims, { secret, now }).get('/'));

    expect(sent.header).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(sent.claims).toEqual({
      ...claims,
      iat: 1_700_000_000,
      exp: 1_700_000_900,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('leaves claims alone that are given, so that a token can be one that has expired', async () => {
    const visitor = client(await listen(whoami()));
    const claims = { sub: 'ada', iat: 1, exp: 2, jti: 'one', nbf: undefined };
    const sent = await tokenSeen(authenticated(visitor, claims, { secret: Buffer.from(secret) }).get('/'));

    expect(sent.claims).toEqual({ sub: 'ada', iat: 1, exp: 2, jti: 'one' });
  });

  it('takes a KeyObject, and more fields for the header but no other algorithm', async () => {
    const visitor = client(await listen(whoami()));
    const header = { kid: '2026', typ: 'at+jwt', alg: 'none' };
    const key = createSecretKey(Buffer.from(secret));
    const sent = await tokenSeen(authenticated(visitor, { sub: 'ada' }, { secret: key, header }).get('/'));

    expect(sent.header).toEqual({ kid: '2026', typ: 'at+jwt', alg: 'HS256' });
  });

  it('has other signers sign the completed claims, once', async () => {
    const signed: unknown[] = [];
    const sign = async (claims: TokenClaims): Promise<string> => `signed-${signed.push(claims)}`;
    const ada = authenticated(client(await listen(whoami())), { sub: 'ada', iat: 10 }, { sign });
    const answers = await Promise.all([seen(ada.get('/')), seen(ada.get('/'))]);

    expect(answers.map(({ authorization }) => authorization)).toEqual(['Bearer signed-1', 'Bearer signed-1']);
    expect(signed).toEqual([{ sub: 'ada', iat: 10, exp: 910, jti: expect.any(String) }]);
  });

  it('has the app issue the token for the claims as they were given', async () => {
    const issue = (claims: TokenClaims): string => `${claims.sub}.${Object.keys(claims).join('.')}`;
    const ada = authenticated(client(await listen(whoami())), { sub: 'ada', roles: [] }, { issue });

    expect((await seen(ada.get('/'))).authorization).toBe('Bearer ada.sub.roles');
  });

  it('fails the request when the app does not issue a token', async () => {
    const visitor = client(await listen(whoami()));
    const refusing = authenticated(
      visitor,
      { sub: 'ada' },
      { issue: () => Promise.reject(new Error('banned')) },
    );
    await expect(refusing.get('/')).rejects.toThrow('banned');

    const odd = authenticated(visitor, { sub: 'ada' }, { issue: () => 'two words' });
    await expect(odd.get('/')).rejects.toThrow(
      'authenticated: "issue" must return a bearer token, got a string that is none',
    );
  });

  it('is the same visitor: cookies are shared, and the client itself stays signed out', async () => {
    const visitor = client(await listen(whoami()));
    const ada = authenticated(visitor, { token: 'abc' });
    await ada.get('/cookie');

    expect(await seen(visitor.get('/'))).toMatchObject({ authorization: null, cookie: 'seen=yes' });
    expect(await seen(ada.get('/'))).toMatchObject({ authorization: 'Bearer abc', cookie: 'seen=yes' });
    expect(ada.cookies).toBe(visitor.cookies);
    expect(ada.url).toBe(visitor.url);
  });

  it("lets a request's own Authorization win, however it is written", async () => {
    const ada = authenticated(client(await listen(whoami())), { token: 'abc' });
    const answer = ada.get('/', { headers: { authorization: 'Basic eA==' } });

    expect((await seen(answer)).authorization).toBe('Basic eA==');
  });

  it('takes the place of an Authorization that all requests of the client carry', async () => {
    const visitor = client(await listen(whoami()), { headers: { authorization: 'Basic eA==' } });

    expect((await seen(authenticated(visitor, { token: 'abc' }).get('/'))).authorization).toBe('Bearer abc');
  });

  it('gives the token to no other origin, neither asked for by name nor by a redirect', async () => {
    const other = await listen(whoami());
    const visitor = client(await listen(whoami()), { followRedirects: true });
    const ada = authenticated(visitor, { token: 'abc' });

    expect((await seen(ada.get(`${other}/`))).authorization).toBeNull();
    expect((await seen(ada.get(`/away?to=${encodeURIComponent(`${other}/`)}`))).authorization).toBeNull();
    expect((await seen(ada.get('/away?to=/'))).authorization).toBe('Bearer abc');
  });

  const visitor = client('http://127.0.0.1:1');

  it.each(['', 'two words', 'a\r\nb', 7, null])('refuses %j as a token', (token) => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => authenticated(visitor, { token })).toThrow(
      /^authenticated: "token" must be a bearer token, got (a string that is none|number|object)$/,
    );
  });

  it('says what to give when there is neither a token nor a way to make one', () => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => authenticated(visitor, { sub: 'ada' })).toThrow(
      'authenticated: give either { token }, or claims and one of { secret }, { sign }, { issue }',
    );
  });

  it.each([{}, { secret, issue: () => 'x' }])('refuses anything but one source of tokens: %j', (source) => {
    expect(() => authenticated(visitor, { sub: 'ada' }, source)).toThrow(
      'authenticated: give exactly one of "secret", "sign" and "issue"',
    );
  });

  it.each([
    [{ secret: '' }, '"secret" must be a string, bytes or a secret KeyObject, and not empty'],
    [{ secret: 7 }, '"secret" must be a string, bytes or a secret KeyObject, and not empty'],
    [{ sign: 'x' }, '"sign" must be a function, got x'],
    [{ issue: {} }, '"issue" must be a function'],
    [{ secrets: 'x' }, 'there is no option "secrets"; there are secret, sign, issue, header, now'],
  ])('refuses %j', (source, message) => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => authenticated(visitor, { sub: 'ada' }, source)).toThrow(`authenticated: ${message}`);
  });

  it.each([undefined, '', 7])('refuses claims whose sub is %j', (sub) => {
    // @ts-expect-error: what a caller without types may pass
    expect(() => authenticated(visitor, { sub }, { secret })).toThrow(
      'authenticated: "claims.sub" must be a string that is not empty',
    );
  });
});
