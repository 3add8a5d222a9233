import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountOf,
  ADMIN_SETTINGS,
  adminOf,
  guestOf,
  postJson,
  signInOf,
  type Credentials,
  type SignedIn,
} from '../support/identity.js';
import {
  PATIENT,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { waitUntil } from '../support/program.js';
import { startRedis, type RedisServer } from '../support/redis.js';

interface Envelope {
  error: { type: string; message: string; details?: { pointer: string; message: string }[] };
}

let running: RunningOrchestrator;
beforeAll(async () => {
  running = await startOrchestrator(ADMIN_SETTINGS);
});
afterAll(() => running.program.stop());

function get(path: string, headers: Credentials = {}, url: string = running.url): Promise<Response> {
  return fetch(url + path, { headers });
}

function post(path: string, body: unknown = {}, headers: Credentials = {}): Promise<Response> {
  return postJson(running.url + path, body, headers);
}

function remove(path: string, headers: Credentials, body?: unknown): Promise<Response> {
  return fetch(running.url + path, {
    method: 'DELETE',
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function typeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as Envelope).error.type}`;
}

async function statusOfMe(headers: Credentials, url: string = running.url): Promise<number> {
  return (await get('/api/v1/me', headers, url)).status;
}

async function keyOf(account: SignedIn, body: object = { name: 'a program' }): Promise<string> {
  const made = await post('/auth/keys', body, account.bearer);
  expect(made.status).toBe(201);
  return ((await made.json()) as { key: string }).key;
}

describe('an account', () => {
  it('is registered, signs in, and is known by token, session and key', async () => {
    const email = ' Alice.Example@Example.ORG ';
    const registered = await post('/auth/register', { email, password: 'a long winter in the north' });
    expect(registered.status).toBe(201);
    const { user } = (await registered.json()) as { user: Record<string, unknown> };
    expect(user).toEqual({
      id: expect.stringMatching(/^u_/),
      email: 'alice.example@example.org',
      roles: ['user'],
    });

    const alice = await signInOf(running.url, {
      email: 'ALICE.example@example.org',
      password: 'a long winter in the north',
    });
    const key = await keyOf(alice);
    for (const [method, headers] of [
      ['token', alice.bearer],
      ['session', { cookie: alice.cookie }],
      ['api_key', { 'X-API-Key': key }],
      ['api_key', { Authorization: `Bearer ${key}` }],
    ] as const) {
      const me = (await (await get('/api/v1/me', headers)).json()) as {
        user: { id: string };
        session: { method: string };
      };
      expect([me.user.id, me.session.method]).toEqual([user['id'], method]);
      expect((await get('/api/v1/search?q=express', headers)).status).toBe(200);
    }
  });

  it('is asked for by whatever needs one, with the challenge of RFC 6750', async () => {
    for (const path of ['/api/v1/me', '/api/v1/search?q=a', '/auth/sessions', '/api/v1/history']) {
      const response = await get(path);
      expect([path, response.status, response.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer',
      ]);
    }
    const forged = await get('/api/v1/me', { authorization: 'Bearer a.b.c' });
    expect(forged.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await typeOf(forged)).toBe('401 invalid_token');
    expect(await (await get('/auth/session')).json()).toEqual({ user: null });
  });

  it.each([
    [
      'an address that is none',
      { email: 'nobody', password: 'long enough to pass' },
      '422 validation_failed',
      '/email',
    ],
    ['no password', { email: 'a@example.org' }, '422 validation_failed', '/password'],
    [
      'a number for a password',
      { email: 'a@example.org', password: 7 },
      '422 validation_failed',
      '/password',
    ],
    [
      'a list of addresses',
      { email: ['a@example.org'], password: 'long enough to pass' },
      '422 validation_failed',
      '/email',
    ],
    [
      'a huge password',
      { email: 'a@example.org', password: 'x'.repeat(5_000) },
      '422 validation_failed',
      '/password',
    ],
    [
      'a common password',
      { email: 'a@example.org', password: 'password1' },
      '422 weak_password',
      '/password',
    ],
    ['a short password', { email: 'a@example.org', password: 'short' }, '422 weak_password', '/password'],
    [
      'a password made of the address',
      { email: 'quentin@example.org', password: 'quentin1' },
      '422 weak_password',
      '/password',
    ],
    [
      'a field that there is not',
      { email: 'a@example.org', password: 'long enough to pass', role: 'admin' },
      '422 validation_failed',
      '/role',
    ],
  ])('is not registered with %s', async (_what, body, type, pointer) => {
    const response = await post('/auth/register', body);
    const { error } = (await response.clone().json()) as Envelope;
    expect(await typeOf(response)).toBe(type);
    expect(error.details?.map((detail) => detail.pointer)).toContain(pointer);
  });

  it('is registered once, of two at the same time, too', async () => {
    const body = { email: 'twins@example.org', password: 'two of a kind and more' };
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await post('/auth/register', body)).status),
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
    expect(await typeOf(await post('/auth/register', body))).toBe('409 email_taken');
  });

  it('answers a registration that is sent twice with one key as the first', async () => {
    const body = { email: 'again@example.org', password: 'sent twice by mistake' };
    const headers = { 'Idempotency-Key': 'a-form-that-was-sent-twice' };
    const first = await post('/auth/register', body, headers);
    const second = await post('/auth/register', body, headers);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await second.text()).toBe(await first.text());
  });

  it('tells nobody whether it is there: a wrong password and an unknown address are one answer', async () => {
    const { email } = await accountOf(running.url);
    const wrong = await post('/auth/login', { email, password: 'not the password' });
    const unknown = await post('/auth/login', { email: 'nobody@example.org', password: 'not the password' });
    expect(await typeOf(wrong.clone())).toBe('401 invalid_credentials');
    const strip = async (response: Response): Promise<unknown> => {
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      return { ...error, timestamp: '', requestId: '' };
    };
    expect(await strip(unknown)).toEqual(await strip(wrong));
  });

  it('has a cookie that scripts and other sites cannot use', async () => {
    const response = await fetch(`${running.url}/auth/guest`, { method: 'POST' });
    const [cookie = ''] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^sid=/);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Lax');
    expect(cookie).toContain('Path=/');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('is not given to a session that somebody else chose', async () => {
    const { email, password, cookie } = await accountOf(running.url);
    const again = await post('/auth/login', { email, password }, { cookie, 'sec-fetch-site': 'same-origin' });
    const [fresh = ''] = again.headers.getSetCookie();
    expect(fresh.split(';')[0]).not.toBe(cookie);
    expect(await statusOfMe({ cookie })).toBe(401);
  });

  it('leaves no password, token or key in the log', async () => {
    const account = await accountOf(running.url);
    const key = await keyOf(account);
    await get('/api/v1/me', { 'X-API-Key': key });
    await post('/auth/login', { email: account.email, password: 'a-wrong-one-to-look-for' });
    await waitUntil(() =>
      running.log().some(({ status, route }) => status === 401 && route === '/auth/login'),
    );
    const log = running.program.output();
    const secrets = [
      account.password,
      account.accessToken,
      account.refreshToken,
      key,
      'a-wrong-one-to-look-for',
    ];
    for (const secret of secrets) expect(log).not.toContain(secret);
  });
});

describe('signing out', () => {
  it.each(['by token', 'by session'])('%s ends session, access and refresh token', async (how) => {
    const account = await accountOf(running.url);
    const headers = how === 'by token' ? account.bearer : account.browser;
    expect((await post('/auth/logout', {}, headers)).status).toBe(204);
    expect(await statusOfMe(account.bearer)).toBe(401);
    expect(await statusOfMe({ cookie: account.cookie })).toBe(401);
    expect((await post('/auth/refresh', { refreshToken: account.refreshToken })).status).toBe(401);
  });

  it('is refused where another site asks for it', async () => {
    const { cookie } = await accountOf(running.url);
    const headers = { cookie, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
    expect(await typeOf(await post('/auth/logout', {}, headers))).toBe('403 csrf_failed');
    expect(await statusOfMe({ cookie })).toBe(200);
  });

  it('takes a CSRF token that is bound to the session, where the browser says nothing', async () => {
    const [one, other] = [await accountOf(running.url), await accountOf(running.url)];
    const tokenOf = async ({ cookie }: SignedIn): Promise<{ csrfToken: string; cookie: string }> => {
      const response = await get('/auth/csrf', { cookie });
      const cookies = response.headers.getSetCookie().map((field) => field.split(';')[0]);
      return {
        ...((await response.json()) as { csrfToken: string }),
        cookie: [cookie, ...cookies].join('; '),
      };
    };
    const [mine, theirs] = [await tokenOf(one), await tokenOf(other)];
    const logout = (cookie: string, token: string): Promise<Response> =>
      post('/auth/logout', {}, { cookie, 'x-csrf-token': token });
    expect(await typeOf(await logout(mine.cookie, theirs.csrfToken))).toBe('403 csrf_failed');
    expect((await logout(mine.cookie, mine.csrfToken)).status).toBe(204);
  });
});

describe('sessions', () => {
  interface Listed {
    id: string;
    device: string;
    isCurrent: boolean;
  }
  const listOf = async (headers: Credentials): Promise<Listed[]> =>
    ((await (await get('/auth/sessions', headers)).json()) as { sessions: Listed[] }).sessions;

  it('are listed, and ended one by one with their tokens', async () => {
    const here = await accountOf(running.url);
    const there = await signInOf(running.url, here);
    const sessions = await listOf({ cookie: here.cookie });
    expect(sessions.filter(({ isCurrent }) => isCurrent)).toHaveLength(1);
    expect(sessions).toHaveLength(2);
    const currentOf = async (headers: Credentials): Promise<(string | undefined)[]> =>
      (await listOf(headers)).flatMap(({ id, isCurrent }) => (isCurrent ? [id] : []));
    expect(await currentOf(here.bearer)).toEqual(await currentOf({ cookie: here.cookie }));
    expect(await currentOf(there.bearer)).toEqual(await currentOf({ cookie: there.cookie }));

    const other = sessions.find(({ isCurrent }) => !isCurrent)?.id ?? '';
    expect((await remove(`/auth/sessions/${other}`, here.browser)).status).toBe(204);
    expect((await remove(`/auth/sessions/${other}`, here.browser)).status).toBe(404);
    expect(await statusOfMe({ cookie: there.cookie })).toBe(401);
    expect(await statusOfMe(there.bearer)).toBe(401);
    expect((await post('/auth/refresh', { refreshToken: there.refreshToken })).status).toBe(401);
    expect(await statusOfMe(here.bearer)).toBe(200);
  });

  it('but this one are ended together', async () => {
    const here = await accountOf(running.url);
    const others = await Promise.all([1, 2, 3].map(() => signInOf(running.url, here)));
    expect((await remove('/auth/sessions', here.bearer)).status).toBe(204);
    for (const other of others) {
      expect([await statusOfMe({ cookie: other.cookie }), await statusOfMe(other.bearer)]).toEqual([
        401, 401,
      ]);
    }
    expect([await statusOfMe({ cookie: here.cookie }), await statusOfMe(here.bearer)]).toEqual([200, 200]);
  });

  it('that are replaced by another sign-in end with their tokens', async () => {
    const before = await accountOf(running.url);
    const { email, password } = before;
    expect((await post('/auth/login', { email, password }, before.browser)).status).toBe(200);
    expect(await statusOfMe(before.bearer)).toBe(401);
    expect((await post('/auth/refresh', { refreshToken: before.refreshToken })).status).toBe(401);
  });

  it('that make room for a newer one end with their tokens', async () => {
    const first = await accountOf(running.url);
    for (let count = 0; count < 50; count++) await signInOf(running.url, first);
    expect(await statusOfMe({ cookie: first.cookie })).toBe(401);
    expect(await statusOfMe(first.bearer)).toBe(401);
  });

  it('of somebody else are nobody’s business', async () => {
    const [mine, theirs] = [await accountOf(running.url), await accountOf(running.url)];
    const [session] = await listOf({ cookie: theirs.cookie });
    expect((await remove(`/auth/sessions/${session?.id ?? ''}`, mine.browser)).status).toBe(404);
    expect(await statusOfMe({ cookie: theirs.cookie })).toBe(200);
    for (const id of ['..', 'a', '%00', 'x'.repeat(500)]) {
      const { status } = await remove(`/auth/sessions/${encodeURIComponent(id)}`, mine.browser);
      expect([id, status >= 400 && status < 500]).toEqual([id, true]);
    }
  });
});

describe('tokens', () => {
  it('are refreshed, by 50 at once to one successor, and nobody is signed out', async () => {
    const { refreshToken } = await accountOf(running.url);
    const pairs = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const response = await post('/auth/refresh', { refreshToken });
        expect(response.status).toBe(200);
        return (await response.json()) as { accessToken: string; refreshToken: string; expiresIn: number };
      }),
    );
    expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(1);
    expect(pairs[0]?.expiresIn).toBe(900);
    for (const { accessToken } of pairs.slice(0, 3)) {
      expect(await statusOfMe({ authorization: `Bearer ${accessToken}` })).toBe(200);
    }
  });

  it('of the one kind are not taken for the other', async () => {
    const { accessToken, refreshToken } = await accountOf(running.url);
    expect(await statusOfMe({ authorization: `Bearer ${refreshToken}` })).toBe(401);
    expect(await typeOf(await post('/auth/refresh', { refreshToken: accessToken }))).toBe(
      '401 invalid_token',
    );
  });

  it('and a session that name different people are refused', async () => {
    const [one, other] = [await accountOf(running.url), await accountOf(running.url)];
    expect(await statusOfMe({ ...one.bearer, cookie: other.cookie })).toBe(401);
  });

  it('are signed with a private key where there is one, which anybody can verify with the public one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-keys-'));
    const keyFile = join(folder, 'ed25519.pem');
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const other = await startOrchestrator({ JWT_PRIVATE_KEYS: keyFile });
    try {
      const { accessToken, bearer } = await accountOf(other.url);
      const [head = ''] = accessToken.split('.');
      const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, string>;
      expect(alg).toBe('EdDSA');
      const { keys } = (await (await fetch(`${other.url}/.well-known/jwks.json`)).json()) as {
        keys: Record<string, string>[];
      };
      expect(keys).toEqual([expect.objectContaining({ kid, kty: 'OKP', crv: 'Ed25519', use: 'sig' })]);
      expect(keys[0]).not.toHaveProperty('d');
      expect(await statusOfMe(bearer, other.url)).toBe(200);
      expect(await statusOfMe(bearer)).toBe(401);
    } finally {
      await other.program.stop();
      rmSync(folder, { recursive: true });
    }
  }, 40_000);
});

describe('guests', () => {
  it('may search, and have nothing that is kept', async () => {
    const guest = await guestOf(running.url);
    const me = (await (await get('/api/v1/me', guest)).json()) as { user: { roles: string[] } };
    expect(me.user.roles).toEqual(['guest']);
    expect((await get('/api/v1/search?q=express', guest)).status).toBe(200);
    for (const [method, path] of [
      ['GET', '/api/v1/history'],
      ['GET', '/auth/keys'],
      ['GET', '/auth/second-factor'],
      ['GET', '/admin/overview'],
    ] as const) {
      const { status } = await fetch(running.url + path, { method, headers: guest });
      expect([path, status]).toEqual([path, 403]);
    }
  });

  it('are so many an hour from one address, so that nobody fills Redis with them', async () => {
    const strict = await startOrchestrator({
      ...WITHOUT_ACCOUNTS,
      NODE_ENV: 'development',
      TRUST_PROXY: 'loopback',
    });
    try {
      const come = async (from: string): Promise<number> => {
        const headers = { 'x-forwarded-for': from };
        return (await postJson(`${strict.url}/auth/guest`, {}, headers)).status;
      };
      const all = await Promise.all(Array.from({ length: 101 }, () => come('192.0.2.1')));
      expect(all.filter((status) => status === 200)).toHaveLength(100);
      expect(all.filter((status) => status === 429)).toHaveLength(1);
      expect(await come('192.0.2.2')).toBe(200);
    } finally {
      await strict.program.stop();
    }
  }, 40_000);

  it('have limits of their own', async () => {
    const strict = await startOrchestrator({ NODE_ENV: 'development', SECRET_KEYS: 's'.repeat(40) });
    try {
      const headers = await guestOf(strict.url);
      const statuses: number[] = [];
      for (let n = 0; n < 20; n += 1) statuses.push((await get('/api/v1/me', headers, strict.url)).status);
      expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 200));
      expect(statuses).toContain(429);
    } finally {
      await strict.program.stop();
    }
  }, 40_000);
});

describe('API keys', () => {
  it('are shown once, listed without the key, and dead once revoked', async () => {
    const account = await accountOf(running.url);
    const key = await keyOf(account, { name: 'indexer', scopes: ['search', 'history'], expiresInDays: 30 });
    const listed = await (await get('/auth/keys', account.bearer)).text();
    expect(listed).not.toContain(key);
    const { keys } = JSON.parse(listed) as { keys: { id: string; name: string; scopes: string[] }[] };
    expect(keys).toEqual([expect.objectContaining({ name: 'indexer', scopes: ['search', 'history'] })]);

    expect(await statusOfMe({ 'X-API-Key': key })).toBe(200);
    expect((await remove(`/auth/keys/${keys[0]?.id ?? ''}`, account.bearer)).status).toBe(204);
    expect(await statusOfMe({ 'X-API-Key': key })).toBe(401);
    expect((await remove(`/auth/keys/${keys[0]?.id ?? ''}`, account.bearer)).status).toBe(404);
  });

  it('do no more than their scopes, and make no keys', async () => {
    const account = await accountOf(running.url);
    const headers = { 'X-API-Key': await keyOf(account) };
    expect((await get('/api/v1/search?q=express', headers)).status).toBe(200);
    const refused = await get('/api/v1/history', headers);
    expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope');
    expect(refused.status).toBe(403);
    expect((await post('/auth/keys', { name: 'more' }, headers)).status).toBe(403);
    expect((await get('/auth/sessions', headers)).status).toBe(403);
    expect((await remove('/auth/sessions', headers)).status).toBe(403);
    expect(await statusOfMe({ cookie: account.cookie })).toBe(200);
    expect((await post('/auth/password/change', { password: 'a', newPassword: 'b' }, headers)).status).toBe(
      403,
    );
  });

  it('are made once for one idempotency key', async () => {
    const account = await accountOf(running.url);
    const headers = { ...account.bearer, 'Idempotency-Key': 'one-click-too-many' };
    const [first, second] = [
      await post('/auth/keys', { name: 'a' }, headers),
      await post('/auth/keys', { name: 'a' }, headers),
    ];
    expect(await second?.text()).toBe(await first?.text());
    const { keys } = (await (await get('/auth/keys', account.bearer)).json()) as { keys: unknown[] };
    expect(keys).toHaveLength(1);
  });
});

describe('a second factor', () => {
  async function added(account: SignedIn): Promise<{ authenticator: TOTP; recoveryCodes: string[] }> {
    const begun = await post('/auth/second-factor', {}, account.bearer);
    const { secret, uri, qrCode } = (await begun.json()) as {
      secret: string;
      uri: string;
      qrCode: { size: number; path: string };
    };
    expect(uri).toContain(`secret=${secret}`);
    expect(qrCode.path).toMatch(/^M\d+ \d+h1v1h-1z/);
    const authenticator = new TOTP({ secret: Secret.fromBase32(secret) });
    // Of the step before: the code of this one is still unused then.
    const timestamp = Date.now() - 30_000;
    const confirmed = await post(
      '/auth/second-factor/confirm',
      { code: authenticator.generate({ timestamp }) },
      account.bearer,
    );
    expect(confirmed.status).toBe(200);
    return { authenticator, ...((await confirmed.json()) as { recoveryCodes: string[] }) };
  }

  it('is asked for once it is on, each code once, and a recovery code once', async () => {
    const account = await accountOf(running.url);
    const { email, password } = account;
    const { authenticator, recoveryCodes } = await added(account);
    const login = (code?: string): Promise<Response> =>
      post('/auth/login', code === undefined ? { email, password } : { email, password, code });

    expect(await typeOf(await login())).toBe('403 second_factor_required');
    expect(await typeOf(await login('000000'))).toBe('401 invalid_credentials');
    const code = authenticator.generate();
    const both = await Promise.all([login(code), login(code)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);

    const [recovery = ''] = recoveryCodes;
    expect((await login(recovery.toLowerCase())).status).toBe(200);
    expect((await login(recovery)).status).toBe(401);
    expect(await typeOf(await post('/auth/second-factor', {}, account.bearer))).toBe(
      '409 second_factor_exists',
    );
  });

  it('is removed with a code, and not without', async () => {
    const account = await accountOf(running.url);
    const { recoveryCodes } = await added(account);
    const wrong = await remove('/auth/second-factor', account.bearer, { code: '123456' });
    expect(await typeOf(wrong)).toBe('422 invalid_code');
    const removed = await remove('/auth/second-factor', account.bearer, { code: recoveryCodes[3] });
    expect(removed.status).toBe(204);
    expect((await post('/auth/login', account)).status).toBe(422);
    expect((await post('/auth/login', { email: account.email, password: account.password })).status).toBe(
      200,
    );
  });
});

describe('a password', () => {
  it('that is guessed at closes the account for a while, and no other', async () => {
    const [victim, neighbour] = [await accountOf(running.url), await accountOf(running.url)];
    const strict = await startOrchestrator({ RATE_LOGIN: '3/m', TRUST_PROXY: 'loopback' });
    try {
      const account = await accountOf(strict.url);
      const login = (from: string, password: string, email = account.email): Promise<Response> =>
        postJson(`${strict.url}/auth/login`, { email, password }, { 'x-forwarded-for': from });
      for (let n = 0; n < 3; n += 1) expect((await login(`192.0.2.${n}`, 'wrong')).status).toBe(401);
      const refused = await login('192.0.2.9', account.password);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const other = await accountOf(strict.url);
      expect((await login('192.0.2.9', other.password, other.email)).status).toBe(200);

      // A form that is not filled in, or asks for a weak password, has guessed nothing.
      const from = { 'x-forwarded-for': '192.0.2.8' };
      const token = 'x'.repeat(43);
      for (let n = 0; n < 3; n += 1) {
        expect((await postJson(`${strict.url}/auth/login`, { email: other.email }, from)).status).toBe(422);
        const weak = await postJson(`${strict.url}/auth/password/reset`, { token, password: 'short' }, from);
        expect(weak.status).toBe(422);
      }
      expect((await login('192.0.2.8', other.password, other.email)).status).toBe(200);
      // What was compared has: no password of somebody who is signed in, and no code.
      const { bearer } = await accountOf(strict.url);
      const changes: number[] = [];
      for (let n = 20; n < 24; n += 1) {
        const headers = { ...bearer, 'x-forwarded-for': `192.0.2.${n}` };
        const body = { password: 'wrong', newPassword: 'another winter in the south' };
        changes.push((await postJson(`${strict.url}/auth/password/change`, body, headers)).status);
      }
      expect(changes).toEqual([422, 422, 422, 429]);

      // Nor does it cost one of the letters to mistype an address.
      const forgot = (email: string): Promise<Response> =>
        postJson(`${strict.url}/auth/password/forgot`, { email }, from);
      for (const email of ['a', 'a@', 'a@example', 'b@example'])
        expect((await forgot(email)).status).toBe(422);
      const letters = [];
      for (let n = 0; n < 4; n += 1) letters.push((await forgot(other.email)).status);
      expect(letters).toEqual([202, 202, 202, 429]);

      // Nor does it help to be somebody while one guesses, each time somebody else.
      const guesses: number[] = [];
      for (let n = 10; n < 14; n += 1) {
        const guesser = { ...(await guestOf(strict.url)), 'x-forwarded-for': `192.0.2.${n}` };
        const body = { email: other.email, password: 'wrong' };
        guesses.push((await postJson(`${strict.url}/auth/login`, body, guesser)).status);
      }
      expect(guesses).toEqual([401, 401, 401, 429]);
    } finally {
      await strict.program.stop();
    }
    expect(await statusOfMe(victim.bearer)).toBe(200);
    expect(await statusOfMe(neighbour.bearer)).toBe(200);
  }, 40_000);

  it('is changed by who knows it, which ends all other sessions', async () => {
    const account = await accountOf(running.url);
    const other = await signInOf(running.url, account);
    const change = (password: string, newPassword: string): Promise<Response> =>
      post('/auth/password/change', { password, newPassword }, account.bearer);
    expect(await typeOf(await change('not it', 'another winter in the south'))).toBe(
      '422 invalid_credentials',
    );
    expect(await typeOf(await change(account.password, '12345678'))).toBe('422 weak_password');
    expect((await change(account.password, 'another winter in the south')).status).toBe(204);
    expect(await statusOfMe(account.bearer)).toBe(200);
    expect(await statusOfMe(other.bearer)).toBe(401);
    expect((await post('/auth/login', { email: account.email, password: account.password })).status).toBe(
      401,
    );
  });

  it('that was forgotten is replaced with the link of a letter, once, and signs out everywhere', async () => {
    const letters: string[] = [];
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData(stream, _session, done) {
        let text = '';
        stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
        stream.on('end', () => {
          letters.push(text);
          done();
        });
      },
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const mailing = await startOrchestrator({ SMTP_URL: `smtp://127.0.0.1:${port}` });
    try {
      const account = await accountOf(mailing.url);
      const forgot = (email: string): Promise<Response> =>
        postJson(`${mailing.url}/auth/password/forgot`, { email });
      const [known, unknown] = [await forgot(account.email), await forgot('nobody@example.org')];
      expect([known.status, unknown.status]).toEqual([202, 202]);
      expect(await known.text()).toBe(await unknown.text());
      expect(await waitUntil(() => letters.length > 0)).toBe(true);
      const letter = letters.join('').replace(/=\r\n/g, '').replace(/=3D/g, '=');
      const token = /#reset=([\w-]{43})/.exec(letter)?.[1] ?? '';
      expect(letter).toContain(`To: ${account.email}`);

      const reset = (password: string): Promise<Response> =>
        postJson(`${mailing.url}/auth/password/reset`, { token, password });
      expect((await reset('password1')).status).toBe(422);
      const both = await Promise.all([reset('a new one for the winter'), reset('a new one for the winter')]);
      expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 401]);
      expect(await statusOfMe(account.bearer, mailing.url)).toBe(401);
      expect(await statusOfMe({ cookie: account.cookie }, mailing.url)).toBe(401);
      const { email } = account;
      await signInOf(mailing.url, { email, password: 'a new one for the winter' });
      expect(letters).toHaveLength(1);
      expect(mailing.program.output()).not.toContain(token);
    } finally {
      await mailing.program.stop();
      await new Promise<void>((resolve) => server.close(resolve));
    }
  }, 40_000);
});

describe('history', () => {
  it('is kept for who asks for it, is theirs alone, and can be deleted', async () => {
    const [mine, theirs] = [await accountOf(running.url), await accountOf(running.url)];
    const historyOf = async ({
      bearer,
    }: SignedIn): Promise<{ keep: boolean; searches: { query: string }[] }> =>
      (await (await get('/api/v1/history', bearer)).json()) as never;
    const search = (q: string): Promise<Response> => get(`/api/v1/search?q=${q}`, mine.bearer);

    await search('before');
    expect(await historyOf(mine)).toEqual({ keep: false, searches: [] });
    const kept = await fetch(`${running.url}/api/v1/history`, {
      method: 'PUT',
      headers: { ...mine.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ keep: true }),
    });
    expect(kept.status).toBe(204);
    await search('first');
    expect(await waitUntil(async () => (await historyOf(mine)).searches.length === 1)).toBe(true);
    await search('second');
    expect(await waitUntil(async () => (await historyOf(mine)).searches.length === 2)).toBe(true);
    expect((await historyOf(mine)).searches.map(({ query }) => query)).toEqual(['second', 'first']);
    expect((await historyOf(theirs)).searches).toEqual([]);
    expect((await get('/api/v1/history?limit=0', mine.bearer)).status).toBe(400);
    expect((await get('/api/v1/history?before=x', mine.bearer)).status).toBe(400);

    expect((await remove('/api/v1/history', mine.bearer)).status).toBe(204);
    expect((await historyOf(mine)).searches).toEqual([]);
  });
});

describe('several processes with one Postgres and one Redis', () => {
  let redis: RedisServer;
  let postgres: PostgresServer;
  let both: RunningOrchestrator[];

  beforeAll(async () => {
    [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
    const shared = {
      ...PATIENT,
      REDIS_URL: redis.url,
      DATABASE_URL: postgres.url,
      SECRET_KEYS: 'shared by all of them and long enough',
      PUBLIC_URL: 'http://127.0.0.1:8889',
      ...ADMIN_SETTINGS,
    };
    // At once: they migrate once, and make one admin.
    both = await Promise.all([startOrchestrator(shared), startOrchestrator(shared)]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(both.map(({ program }) => program.stop()));
    await Promise.all([redis.stop(), postgres.stop()]);
  });

  const urls = (): [string, string] => [both[0]?.url ?? '', both[1]?.url ?? ''];

  it('know each other’s accounts, sessions, tokens and keys', async () => {
    const [here, there] = urls();
    const account = await accountOf(here);
    const made = await postJson(`${here}/auth/keys`, { name: 'a' }, account.bearer);
    const { key } = (await made.json()) as { key: string };
    for (const headers of [account.bearer, { cookie: account.cookie }, { 'x-api-key': key }]) {
      expect(await statusOfMe(headers, there)).toBe(200);
    }
    const refreshed = await postJson(`${there}/auth/refresh`, { refreshToken: account.refreshToken });
    expect(refreshed.status).toBe(200);
    expect((await adminOf(there)).id).toBe((await adminOf(here)).id);
  });

  it('keep no API key in clear, also where it may be had again for an idempotency key', async () => {
    const [here, there] = urls();
    const account = await accountOf(here);
    const headers = { ...account.bearer, 'Idempotency-Key': 'one-click-too-many' };
    const made = await (await postJson(`${here}/auth/keys`, { name: 'a' }, headers)).text();
    expect(await (await postJson(`${there}/auth/keys`, { name: 'a' }, headers)).text()).toBe(made);
    const { key } = JSON.parse(made) as { key: string };
    const names = (await redis.command('keys', 'signalbox:idempotency:*')).split('\n');
    expect(names).not.toEqual(['']);
    for (const name of names) {
      const kept = await redis.command('hget', name, 'a');
      const texts = [
        kept,
        ...(kept.match(/[\w+/]{40,}=*/g) ?? []).map((each) => Buffer.from(each, 'base64').toString()),
      ];
      for (const text of texts) expect(text).not.toContain(key);
    }
  });

  it('sign somebody out everywhere within a second', async () => {
    const [here, there] = urls();
    const [admin, account] = [await adminOf(here), await accountOf(there)];
    expect(await statusOfMe(account.bearer, there)).toBe(200);
    const begin = performance.now();
    expect((await postJson(`${here}/admin/users/${account.id}/signout`, {}, admin.bearer)).status).toBe(204);
    const isOut = async (): Promise<boolean> =>
      (await statusOfMe(account.bearer, there)) === 401 &&
      (await statusOfMe({ cookie: account.cookie }, there)) === 401;
    expect(await waitUntil(isOut)).toBe(true);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  it('refresh no token of a sign-in whose session is over, which nobody could see and end', async () => {
    const [here, there] = urls();
    const account = await accountOf(here);
    for (const key of (await redis.command('keys', 'signalbox:sessions:*:*')).split('\n')) {
      await redis.command('del', key);
    }
    const refreshed = await postJson(`${there}/auth/refresh`, { refreshToken: account.refreshToken });
    expect(await typeOf(refreshed)).toBe('401 token_revoked');
  });

  it('revoke a key everywhere within seconds', async () => {
    const [here, there] = urls();
    const account = await accountOf(here);
    const made = await postJson(`${here}/auth/keys`, { name: 'a' }, account.bearer);
    const { key, id } = (await made.json()) as { key: string; id: string };
    expect(await statusOfMe({ 'x-api-key': key }, there)).toBe(200);
    const revoked = await fetch(`${here}/auth/keys/${id}`, { method: 'DELETE', headers: account.bearer });
    expect(revoked.status).toBe(204);
    expect(await waitUntil(async () => (await statusOfMe({ 'x-api-key': key }, there)) === 401, 2_000)).toBe(
      true,
    );
  });
});
