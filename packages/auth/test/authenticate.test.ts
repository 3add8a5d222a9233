import { facts } from '@signalbox/context';
import { assertNeverHangs, listen } from '@signalbox/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  apiKey,
  apiKeys,
  authenticate,
  bearer,
  memoryKeyStore,
  memoryTokenStore,
  requireFresh,
  requirePrincipal,
  requireRole,
  requireScope,
  session,
  type AuthenticationMethod,
  type KeyStore,
  type TokenStore,
} from '../src/index.js';
import { appWith, asker, testSessions, userOf } from './auth-support.js';
import { tokensWith } from './token-support.js';

const INVALID = /^Bearer error="invalid_token", error_description="[^"]+"$/;

describe('authenticate with tokens only', () => {
  const setUp = async () => {
    const tokens = tokensWith();
    const { accessToken, refreshToken } = await tokens.issue('u_1', {
      roles: ['admin'],
      scope: 'search history',
    });
    return { tokens, accessToken, refreshToken, ask: await asker(authenticate([bearer(tokens)])) };
  };

  it('says who the bearer is', async () => {
    const { ask, accessToken } = await setUp();
    expect(await ask({ authorization: `Bearer ${accessToken}` })).toMatchObject({
      status: 200,
      who: { subject: 'u_1', method: 'token', roles: ['admin'], scopes: ['search', 'history'] },
    });
  });

  it('answers 401 with a bare challenge where nothing is brought', async () => {
    const { ask } = await setUp();
    expect(await ask()).toMatchObject({ status: 401, code: 'authentication_required', challenge: 'Bearer' });
  });

  it.each(['bearer', 'BEARER', 'Bearer  ', 'bEaReR     '])(
    'reads the scheme written as %j',
    async (scheme) => {
      const { ask, accessToken } = await setUp();
      expect(await ask({ authorization: `${scheme} ${accessToken}` })).toMatchObject({ status: 200 });
    },
  );

  it.each([
    'Bearer',
    'Bearer ',
    'bearer\t',
    'Bearer x',
    'Bearer a.b.c',
    'Bearer null',
    'Bearer undefined',
    'Bearer {}',
    'Bearer a b',
    `Bearer ${'a'.repeat(12_000)}`,
    'Bearer ÿþ',
    'Bearer __proto__',
  ])('refuses %j with 401 and the error of RFC 6750', async (authorization) => {
    const { ask } = await setUp();
    expect(await ask({ authorization })).toMatchObject({
      status: 401,
      code: 'invalid_token',
      challenge: expect.stringMatching(INVALID) as string,
    });
  });

  it('never reads a token from the query', async () => {
    const { ask, accessToken } = await setUp();
    expect(await ask({}, `/?access_token=${accessToken}`)).toMatchObject({
      status: 401,
      challenge: 'Bearer',
    });
  });

  it('refuses a request with two Authorization fields, though both be valid', async () => {
    const { ask, accessToken } = await setUp();
    for (const other of [`Bearer ${accessToken}`, 'Basic dTpw', 'Bearer forged']) {
      expect(await ask({ authorization: [`Bearer ${accessToken}`, other] })).toMatchObject({
        status: 400,
        code: 'invalid_request',
        challenge: 'Bearer error="invalid_request", error_description="More than one Authorization field"',
      });
    }
  });

  it('leaves other schemes to others', async () => {
    const { ask } = await setUp();
    for (const authorization of ['Basic dTpw', 'Bearerx y', 'Digest username="x"', 'Bearer-x y', '']) {
      expect(await ask({ authorization })).toMatchObject({ status: 401, challenge: 'Bearer' });
    }
  });

  it('refuses a refresh token, and an access token that is revoked', async () => {
    const { ask, tokens, accessToken, refreshToken } = await setUp();
    expect(await ask({ authorization: `Bearer ${refreshToken}` })).toMatchObject({
      status: 401,
      code: 'invalid_token',
    });
    await tokens.revoke(accessToken);
    expect(await ask({ authorization: `Bearer ${accessToken}` })).toMatchObject({
      status: 401,
      code: 'token_revoked',
    });
  });

  it('lets nobody be somebody by whatever stands in the field', async () => {
    const { ask } = await setUp();
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 60 }), fc.boolean(), async (text, isBearer) => {
        const value = text.replace(/[^\x20-\x7e]/g, '');
        const { status } = await ask({ authorization: isBearer ? `Bearer ${value}` : value });
        expect(status).toBe(401);
      }),
      { numRuns: 100 },
    );
  });
});

describe('authenticate with sessions only', () => {
  it('says whose session it is, and nothing of who has none', async () => {
    const sessions = testSessions();
    const ask = await asker(sessions, authenticate([session(userOf)]));
    expect(await ask({ cookie: sessions.open({ userId: 'u_1' }) })).toMatchObject({
      status: 200,
      who: { subject: 'u_1', method: 'session', roles: [], scopes: [], claims: {} },
    });
    for (const cookie of ['sid=unknown', sessions.open({}), sessions.open({ userId: '' }), 'x=y']) {
      expect(await ask({ cookie })).toMatchObject({ status: 401, challenge: 'Bearer' });
    }
  });

  it('takes roles, scopes, claims and the time of the sign-in from the function, which may be asynchronous', async () => {
    const user = {
      subject: 'u_1',
      roles: ['admin'],
      scopes: ['search'],
      claims: { team: 7 },
      authenticatedAtMs: 5,
    };
    // oxlint-disable-next-line unicorn/no-thenable -- such as a query builder
    const thenable = { then: (resolve: (value: typeof user) => void) => resolve(user) } as PromiseLike<
      typeof user
    >;
    for (const read of [() => user, async () => Promise.resolve(user), () => thenable]) {
      const ask = await asker(authenticate([session(read)]));
      expect(await ask()).toMatchObject({ status: 200, who: { ...user, method: 'session' } });
    }
  });

  it('loads the session itself where it is told how', async () => {
    const sessions = testSessions();
    const ask = await asker(authenticate([session(userOf, { load: sessions })]));
    expect(await ask({ cookie: sessions.open({ userId: 'u_1' }) })).toMatchObject({
      who: { subject: 'u_1' },
    });
    expect(await ask()).toMatchObject({ status: 401, challenge: 'Bearer' });
    expect(sessions.asked).toBe(1);
  });

  it('answers 503, and signs nobody out, while sessions cannot be read', async () => {
    const sessions = testSessions();
    const ask = await asker(authenticate([session(userOf, { load: sessions })]));
    const cookie = sessions.open({ userId: 'u_1' });
    sessions.isDown = true;
    expect(await ask({ cookie })).toMatchObject({ status: 503, code: 'session_store_unavailable' });
    expect(await ask()).toMatchObject({ status: 401, code: 'authentication_required' });
    sessions.isDown = false;
    expect(await ask({ cookie })).toMatchObject({ status: 200 });
  });

  it.each([
    ['requirePrincipal', requirePrincipal()],
    ['requireRole', requireRole('admin')],
    ['requireScope', requireScope('search')],
    ['requireFresh', requireFresh(1_000)],
  ])('answers the same at %s, where nobody had to be signed in before', async (_name, guard) => {
    const sessions = testSessions();
    const optional = authenticate([session(userOf, { load: sessions })], { optional: true });
    const ask = await asker(optional, guard);
    const cookie = sessions.open({ userId: 'u_1' });
    sessions.isDown = true;
    expect(await ask({ cookie })).toMatchObject({ status: 503, code: 'session_store_unavailable' });
    expect(await ask()).toMatchObject({ status: 401, code: 'authentication_required' });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['returns a number', () => 7 as unknown as string],
    ['returns no subject', () => ({ roles: ['admin'] }) as unknown as string],
    ['returns an empty subject', () => ({ subject: '' })],
    ['returns a text for a list', () => ({ subject: 'u_1', roles: 'admin' as unknown as string[] })],
  ])('lets nobody in when the function %s', async (_what, read) => {
    const ask = await asker(authenticate([session(read)], { optional: true }));
    expect(await assertNeverHangs(ask())).toMatchObject({ status: 500 });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    [
      'passes an error on at once',
      (_req: unknown, _res: unknown, next: (error: unknown) => void) => next(new Error('broken')),
    ],
    [
      'passes an error on later',
      (_req: unknown, _res: unknown, next: (error: unknown) => void) =>
        void setImmediate(next, new Error('broken')),
    ],
    ['chooses a route', (_req: unknown, _res: unknown, next: (error: unknown) => void) => next('route')],
  ])('lets nobody in when what loads the session %s', async (_what, load) => {
    const ask = await asker(authenticate([session(() => 'u_1', { load: load as never })]));
    expect(await assertNeverHangs(ask())).toMatchObject({ status: 500 });
  });

  it('does not read what is not its business', async () => {
    const ask = await asker(authenticate([session(() => 'u_1')]));
    expect(await ask({ authorization: ['Bearer x', 'Bearer y'], 'x-api-key': 'x' })).toMatchObject({
      status: 200,
    });
  });
});

describe('authenticate with API keys only', () => {
  const setUp = async (options?: Parameters<typeof apiKey>[1]) => {
    const keys = apiKeys({ store: memoryKeyStore() });
    const { key, id } = await keys.create('u_1', { name: 'x', scopes: ['search'], plan: 'partner' });
    return { keys, key, id, ask: await asker(authenticate([apiKey(keys, options)])) };
  };

  it('says whose key it is, in X-API-Key or behind Bearer', async () => {
    const { ask, key, id } = await setUp();
    const who = { subject: 'u_1', method: 'api_key', scopes: ['search'], plan: 'partner', id };
    expect(await ask({ 'x-api-key': key })).toMatchObject({ status: 200, who });
    expect(await ask({ authorization: `Bearer ${key}` })).toMatchObject({ status: 200, who });
    expect(await ask({ authorization: `Bearer ${key}`, 'x-api-key': key })).toMatchObject({
      status: 200,
      who,
    });
  });

  it('tells caches in front that the answer is of the key, also where there is none', async () => {
    const { keys, key } = await setUp();
    const open = await listen(appWith(authenticate([apiKey(keys)], { optional: true })));
    const closed = await listen(appWith(authenticate([apiKey(keys, { header: 'X-Key' })])));
    for (const headers of [{}, { 'x-api-key': key }]) {
      expect((await fetch(open, { headers })).headers.get('vary')).toBe('X-API-Key');
    }
    expect((await fetch(closed)).headers.get('vary')).toBe('X-Key, Accept');
  });

  it('reads them from another field on demand', async () => {
    const { ask, key } = await setUp({ header: 'X-Signalbox-Key' });
    expect(await ask({ 'x-signalbox-key': key })).toMatchObject({ status: 200 });
    expect(await ask({ 'x-api-key': key })).toMatchObject({ status: 401, challenge: 'Bearer' });
  });

  it('refuses one that is not valid, and two that differ', async () => {
    const { ask, key, keys, id } = await setUp();
    const other = await keys.create('u_1', { name: 'y' });
    for (const headers of [
      { 'x-api-key': `${key}x` },
      { 'x-api-key': [key, key] },
      { authorization: 'Bearer a.b.c' },
    ]) {
      expect(await ask(headers)).toMatchObject({
        status: 401,
        code: 'invalid_api_key',
        challenge: expect.stringMatching(INVALID) as string,
      });
    }
    expect(await ask({ authorization: `Bearer ${key}`, 'x-api-key': other.key })).toMatchObject({
      status: 401,
      code: 'conflicting_credentials',
    });
    await keys.revoke('u_1', id);
    expect(await ask({ 'x-api-key': key })).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  it('answers the bare challenge without a key', async () => {
    const { ask, key } = await setUp();
    for (const headers of [{}, { 'x-api-key': '' }, { authorization: `Basic ${key}` }]) {
      expect(await ask(headers)).toMatchObject({ status: 401, challenge: 'Bearer' });
    }
    expect(await ask({}, `/?api_key=${key}`)).toMatchObject({ status: 401, challenge: 'Bearer' });
  });
});

describe('authenticate with tokens, keys and sessions', () => {
  const setUp = async (
    options?: Parameters<typeof authenticate>[1],
    stores: { tokens?: TokenStore; keys?: KeyStore } = {},
  ) => {
    const tokens = tokensWith({ store: stores.tokens });
    const keys = apiKeys({ store: stores.keys ?? memoryKeyStore(), cacheMs: 0 });
    const sessions = testSessions();
    const methods: AuthenticationMethod[] = [
      bearer(tokens),
      apiKey(keys),
      session(userOf, { load: sessions }),
    ];
    const credentials = {
      token: async (subject: string) => ({
        authorization: `Bearer ${(await tokens.issue(subject)).accessToken}`,
      }),
      key: async (subject: string) => ({ 'x-api-key': (await keys.create(subject, { name: 'x' })).key }),
      session: async (subject: string) => ({ cookie: sessions.open({ userId: subject }) }),
    };
    return { tokens, keys, sessions, methods, credentials, ask: await asker(authenticate(methods, options)) };
  };

  it('makes one principal of each of them, and of all together that of the first in the list', async () => {
    const { ask, credentials } = await setUp();
    const [token, key, cookie] = [
      await credentials.token('u_1'),
      await credentials.key('u_1'),
      await credentials.session('u_1'),
    ];
    for (const [headers, method] of [
      [token, 'token'],
      [key, 'api_key'],
      [cookie, 'session'],
      [{ ...key, ...cookie }, 'api_key'],
      [{ ...token, ...key, ...cookie }, 'token'],
    ] as const) {
      expect(await ask(headers)).toMatchObject({ status: 200, who: { subject: 'u_1', method } });
    }
    expect(await ask()).toMatchObject({ status: 401, challenge: 'Bearer' });
  });

  it('passes over no credential that is not valid', async () => {
    const { ask, credentials, tokens } = await setUp();
    const [token, key, cookie] = [
      await credentials.token('u_1'),
      await credentials.key('u_1'),
      await credentials.session('u_1'),
    ];
    expect(await ask({ ...cookie, ...key, authorization: 'Bearer forged' })).toMatchObject({
      status: 401,
      code: 'invalid_token',
    });
    expect(await ask({ ...cookie, ...token, 'x-api-key': 'forged' })).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
    expect(await ask({ ...cookie, authorization: `Bearer ${key['x-api-key']}0` })).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
    await tokens.revokeAll('u_1');
    expect(await ask({ ...token, ...cookie })).toMatchObject({ status: 401, code: 'token_revoked' });
    expect(await ask(cookie)).toMatchObject({ status: 200 });
  });

  it.each([
    ['token', 'key'],
    ['token', 'session'],
    ['key', 'session'],
  ] as const)('refuses a %s and a %s of different subjects', async (one, other) => {
    const { ask, credentials } = await setUp();
    const headers = { ...(await credentials[one]('u_1')), ...(await credentials[other]('u_2')) };
    expect(await ask(headers)).toMatchObject({
      status: 401,
      code: 'conflicting_credentials',
      challenge: expect.stringMatching(INVALID) as string,
    });
  });

  it('lets who brings nothing pass where that is optional, and nobody else', async () => {
    const { ask, credentials } = await setUp({ optional: true });
    expect(await ask()).toMatchObject({ status: 200, who: null });
    expect(await ask({ cookie: 'sid=unknown' })).toMatchObject({ status: 200, who: null });
    expect(await ask(await credentials.session('u_1'))).toMatchObject({ who: { subject: 'u_1' } });
    expect(await ask({ authorization: 'Bearer forged' })).toMatchObject({
      status: 401,
      code: 'invalid_token',
    });
    expect(await ask({ 'x-api-key': 'forged' })).toMatchObject({ status: 401 });
  });

  it('goes on for bearers of tokens and keys on open routes while all stores are gone, and says 503 elsewhere', async () => {
    const faults = { isDown: false };
    const tokenStore = failing(memoryTokenStore(), faults);
    const keyStore = failing(memoryKeyStore(), faults);
    const { ask, methods, credentials, sessions } = await setUp({}, { tokens: tokenStore, keys: keyStore });
    const openly = await asker(authenticate(methods, { onStoreDown: 'open' }));
    const [token, key, cookie] = [
      await credentials.token('u_1'),
      await credentials.key('u_1'),
      await credentials.session('u_1'),
    ];
    for (const headers of [token, key, cookie]) expect(await openly(headers)).toMatchObject({ status: 200 });

    faults.isDown = true;
    sessions.isDown = true;
    expect(await openly(token)).toMatchObject({ status: 200, who: { subject: 'u_1' } });
    expect(await openly(key)).toMatchObject({ status: 200, who: { subject: 'u_1' } });
    expect(await openly({ ...token, ...cookie })).toMatchObject({ status: 200 });
    expect(await openly(cookie)).toMatchObject({ status: 503, code: 'session_store_unavailable' });
    expect(await openly({ authorization: 'Bearer forged' })).toMatchObject({ status: 401 });

    expect(await ask(token)).toMatchObject({ status: 503, code: 'token_store_unavailable' });
    expect(await ask(key)).toMatchObject({ status: 503, code: 'key_store_unavailable' });
  });

  it('leaves no rejection behind when several credentials fail', async () => {
    const faults = { isDown: false };
    const { ask, credentials } = await setUp(
      {},
      { tokens: failing(memoryTokenStore(), faults), keys: failing(memoryKeyStore(), faults) },
    );
    const headers = { ...(await credentials.token('u_1')), ...(await credentials.key('u_1')) };
    faults.isDown = true;
    // Of several the first in the list is told.
    for (let times = 0; times < 5; times += 1)
      expect(await ask(headers)).toMatchObject({ code: 'token_store_unavailable' });
    expect(await ask({ ...headers, 'x-api-key': 'forged' })).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
  });

  it('notes the user for the log', async () => {
    const seen: unknown[] = [];
    const { methods, credentials } = await setUp();
    const ask = await asker(authenticate(methods), (req, _res, next) => {
      seen.push(facts(req).userId);
      next();
    });
    for (const headers of [
      await credentials.token('u_1'),
      await credentials.key('u_2'),
      await credentials.session('u_3'),
    ]) {
      await ask(headers);
    }
    expect(seen).toEqual(['u_1', 'u_2', 'u_3']);
  });

  it.each([
    [[], {}, 'authenticate: "methods" must be a list of bearer(), apiKey() and session(), got an array'],
    [
      undefined,
      {},
      'authenticate: "methods" must be a list of bearer(), apiKey() and session(), got undefined',
    ],
    [[session], {}, 'authenticate: "methods[0]" must be an object, got a function'],
    [[{}], {}, 'authenticate: "methods[0].start" must be a function, got undefined'],
    [
      [session(userOf), session(userOf)],
      {},
      'authenticate: "methods[1]" must be of another kind than those before, got "session"',
    ],
    [[session(userOf)], { optional: 'yes' }, 'authenticate: "optional" must be true or false, got "yes"'],
    [
      [session(userOf)],
      { onStoreDown: 'local' },
      'authenticate: "onStoreDown" must be "closed" or "open", got "local"',
    ],
    [
      [session(userOf)],
      { option: true },
      'authenticate: "option" is not an option; did you mean "optional"?',
    ],
  ])('refuses %o with %o at construction', (methods, options, message) => {
    expect(() => authenticate(methods as AuthenticationMethod[], options as never)).toThrow(message);
  });

  it.each([
    [() => bearer({} as never), 'bearer: "tokens.check" must be a function, got undefined'],
    [() => bearer(undefined as never), 'bearer: "tokens" must be an object, got undefined'],
    [() => apiKey({} as never), 'apiKey: "keys.verify" must be a function, got undefined'],
    [
      () => apiKey(apiKeys({ store: memoryKeyStore() }), { header: 'a b' }),
      'apiKey: "header" must be the name of a header field, got "a b"',
    ],
    [
      () => apiKey(apiKeys({ store: memoryKeyStore() }), { header: 'Authorization' }),
      'apiKey: "header" must be another than Authorization',
    ],
    [() => session('u_1' as never), 'session: "read" must be a function, got "u_1"'],
    [() => session(userOf, { load: {} as never }), 'session: "load" must be a function, got an object'],
  ])('refuses wrong methods at construction: %#', (make, message) => {
    expect(make).toThrow(message);
  });
});

/** A store whose every method fails while it is down. */
function failing<Store extends object>(store: Store, faults: { isDown: boolean }): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const down = Object.assign(new Error('connect ECONNREFUSED'), { status: 503 });
        return faults.isDown ? Promise.reject(down) : (Reflect.apply(value, target, args) as unknown);
      };
    },
  });
}
