import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { client, listen, type Client } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { send, type Answer } from '../../../test/support/send.js';
import { csrf, type CsrfOptions } from '../src/index.js';

const SECRET = 'a secret of at least thirty-two bytes';
const OLD_SECRET = 'an older secret of thirty-two bytes or so';

/** An app whose session is the cookie `sid`, and whose own URL is what the options say. */
function appWith(options: Partial<CsrfOptions> = {}): Express {
  const protection = csrf({
    secrets: SECRET,
    publicUrl: 'http://app.example',
    session: ({ headers }) => /(?:^|; )sid=(\w+)/.exec(headers.cookie ?? '')?.[1],
    ...options,
  });
  const app = express();
  app.use(express.json(), express.urlencoded());
  app.get('/auth/csrf', protection.route());
  app.use(protection);
  app.post('/login', (req, res) => {
    const { sid } = req.body as { sid: string };
    res.cookie('sid', sid);
    req.headers.cookie = `${req.headers.cookie ?? ''}; sid=${sid}`;
    res.json({ csrfToken: protection.rotate(req, res) });
  });
  app.get('/twice', (req, res) => void res.json([protection.token(req, res), protection.token(req, res)]));
  app.get('/page', (req, res) => {
    res.set('Cache-Control', 'public, max-age=60');
    res.send(`<input name="_csrf" value="${protection.token(req, res)}">`);
  });
  app.all('/change', (_req, res) => void res.json({ changed: true }));
  app.use(errorHandler());
  return app;
}

async function change(headers: Record<string, string>, options?: Partial<CsrfOptions>): Promise<Answer> {
  return send(await listen(appWith(options)), { method: 'POST', path: '/change', headers });
}

const checkOf = (answer: Answer): unknown =>
  (JSON.parse(answer.text) as { error?: { type: string; details: { check: string } } }).error;

/** What a browser without fetch metadata, behind a proxy that takes away Origin, would send: a cookie and no more. */
const VISITOR = { headers: { cookie: 'theme=dark' } };

async function tokenOf(visitor: Client): Promise<string> {
  const answer = await visitor.get('/auth/csrf');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return ((await answer.json()) as { csrfToken: string }).csrfToken;
}

async function statusWith(visitor: Client, token: string | undefined): Promise<number> {
  const headers = token === undefined ? {} : { 'x-csrf-token': token };
  return (await visitor.post('/change', { headers })).status;
}

describe('csrf: what a browser says of the request', () => {
  it.each([
    [{ 'Sec-Fetch-Site': 'same-origin' }],
    [{ 'Sec-Fetch-Site': 'same-origin', Origin: 'null', Cookie: 'sid=1' }],
    [{ 'Sec-Fetch-Site': 'none', Cookie: 'sid=1' }],
    [{ Origin: 'http://app.example', Cookie: 'sid=1' }],
    [{ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://admin.example.com', Cookie: 'sid=1' }],
    [{ 'Sec-Fetch-Site': 'same-site', Origin: 'https://a.example.org', Cookie: 'sid=1' }],
  ])('lets it pass: %j', async (headers) => {
    const findings = heard(signals.securityFinding);
    const origins = ['https://admin.example.com', 'https://*.example.org'];

    expect((await change(headers, { origins })).status).toBe(200);
    expect(findings).toEqual([]);
  });

  it.each([
    [{ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example', Cookie: 'sid=1' }],
    [{ 'Sec-Fetch-Site': 'same-site', Origin: 'http://other.app.example', Cookie: 'sid=1' }],
    [{ 'Sec-Fetch-Site': 'cross-site' }],
    [{ 'Sec-Fetch-Site': 'cross-site', Origin: 'null' }],
    [{ 'Sec-Fetch-Site': 'Same-Origin' }],
    [{ 'Sec-Fetch-Site': 'nonsense' }],
    [{ Origin: 'https://evil.example' }],
    [{ Origin: 'https://app.example', Cookie: 'sid=1' }],
    [{ Origin: 'http://app.example:81', Cookie: 'sid=1' }],
    [{ Origin: 'http://app.example.evil.com', Cookie: 'sid=1' }],
    [{ Origin: 'http://app.example.', Cookie: 'sid=1' }],
    [{ Origin: 'HTTP://APP.EXAMPLE', Cookie: 'sid=1' }],
    [{ Origin: '', Cookie: 'sid=1' }],
  ])('is why it is refused: %j', async (headers) => {
    const findings = heard(signals.securityFinding);
    const answer = await change(headers);

    expect(answer.status).toBe(403);
    expect(checkOf(answer)).toMatchObject({
      type: 'csrf_failed',
      message: 'The request comes from a page of another site.',
      details: { check: 'cross_site' },
    });
    expect(findings).toEqual([{ kind: 'csrf', rule: 'cross_site', enforced: true }]);
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])('does not matter for %s, which changes nothing', async (method) => {
    const url = await listen(appWith());
    const headers = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };

    expect((await send(url, { method, path: '/change', headers })).status).toBe(200);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'])('matters for %s', async (method) => {
    const url = await listen(appWith());
    const headers = { 'Sec-Fetch-Site': 'cross-site' };

    expect((await send(url, { method, path: '/change', headers })).status).toBe(403);
  });

  it('is held against a public URL that is known only later', async () => {
    let publicUrl = 'not known yet';
    const url = await listen(appWith({ publicUrl: () => publicUrl }));
    const ask = async (): Promise<number> =>
      (await send(url, { method: 'POST', path: '/change', headers: { Origin: url } })).status;

    expect(await ask()).toBe(403);
    publicUrl = `${url}/somewhere`;
    expect(await ask()).toBe(200);
  });
});

describe('csrf: who is no browser', () => {
  it.each([[{}], [{ Authorization: 'Bearer x' }], [{ 'X-API-Key': 'x' }], [{ 'Sec-Fetch-Mode': 'cors' }]])(
    'passes without a cookie: %j',
    async (headers) => {
      expect((await change(headers)).status).toBe(200);
    },
  );

  it.each([[{ Cookie: 'sid=1' }], [{ Referer: 'http://app.example/' }], [{ Origin: 'null' }]])(
    'is not known by %j, which needs a token',
    async (headers) => {
      const findings = heard(signals.securityFinding);
      const answer = await change(headers);

      expect(answer.status).toBe(403);
      expect(checkOf(answer)).toMatchObject({
        message: 'The request does not say which page it comes from, and brings no CSRF token.',
        details: { check: 'token_missing' },
      });
      expect(findings).toEqual([{ kind: 'csrf', rule: 'token_missing', enforced: true }]);
    },
  );
});

describe('csrf: the token', () => {
  it('passes in a header field and in a parsed body', async () => {
    const visitor = client(await listen(appWith()), VISITOR);
    const token = await tokenOf(visitor);

    expect(await statusWith(visitor, token)).toBe(200);
    expect((await visitor.post('/change', { json: { _csrf: token } })).status).toBe(200);
    const form = new URLSearchParams({ _csrf: token });
    expect((await visitor.post('/change', { body: form })).status).toBe(200);
  });

  it('stays the same while it is valid', async () => {
    const visitor = client(await listen(appWith()), VISITOR);
    const token = await tokenOf(visitor);

    expect(await tokenOf(visitor)).toBe(token);
    expect(await statusWith(visitor, token)).toBe(200);
  });

  it('is one for a whole response, which sets each cookie once', async () => {
    const visitor = client(await listen(appWith()), VISITOR);
    const answer = await visitor.get('/twice');
    const [first, second] = (await answer.json()) as string[];

    expect(first).toBe(second);
    expect(answer.headers.getSetCookie().map((cookie) => cookie.split('=')[0])).toEqual(['csrf-id', 'csrf']);
    expect(await statusWith(visitor, first)).toBe(200);
  });

  it.each([
    ['no token', undefined, 'token_missing'],
    ['an empty token', '', 'token_mismatch'],
    ['a token of somebody else', 'theirs', 'token_mismatch'],
    ['nonsense', 'x'.repeat(5_000), 'token_mismatch'],
  ])('is missed where there is %s', async (_what, sent, check) => {
    const url = await listen(appWith());
    const [visitor, other] = [client(url, VISITOR), client(url, VISITOR)];
    await tokenOf(visitor);
    const theirs = await tokenOf(other);
    const token = sent === 'theirs' ? theirs : sent;

    const headers = token === undefined ? {} : { 'x-csrf-token': token };
    const answer = await visitor.post('/change', { headers });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { type: 'csrf_failed', details: { check } } });
  });

  it('is nothing without its cookie', async () => {
    const url = await listen(appWith());
    const token = await tokenOf(client(url, VISITOR));
    const answer = await client(url, VISITOR).post('/change', { headers: { 'x-csrf-token': token } });

    expect(await answer.json()).toMatchObject({ error: { details: { check: 'cookie_missing' } } });
  });

  it('of an attacker is refused, even where the attacker could plant its cookie', async () => {
    const url = await listen(appWith());
    const attacker = client(url, VISITOR);
    const token = await tokenOf(attacker);
    const planted = (await attacker.cookies.getCookies(url)).find(({ key }) => key === 'csrf')?.value ?? '';

    for (const cookie of [`csrf=${planted}`, `sid=victim; csrf=${planted}`]) {
      const headers = { Cookie: cookie, 'X-CSRF-Token': token };
      const answer = await send(url, { method: 'POST', path: '/change', headers });
      expect(checkOf(answer)).toMatchObject({ details: { check: 'token_invalid' } });
    }
  });

  it.each(['constructor', '__proto__', 'a.b', '.', '..', 'a'.repeat(64)])(
    'that was made up is refused: %s',
    async (made) => {
      const headers = { Cookie: `csrf=${made}; sid=1`, 'X-CSRF-Token': made };
      expect(checkOf(await change(headers))).toMatchObject({ details: { check: 'token_invalid' } });
    },
  );

  it('in a body counts only as a text of its own', async () => {
    const visitor = client(await listen(appWith()), VISITOR);
    const token = await tokenOf(visitor);

    for (const body of [[], [token], { _csrf: [token] }, { _csrf: { token } }, { _csrf: null }, {}]) {
      expect((await visitor.post('/change', { json: body })).status).toBe(403);
    }
    const nested = await visitor.post('/change', {
      body: `{"__proto__":{"_csrf":"${token}"}}`,
      headers: { 'content-type': 'application/json' },
    });
    expect(nested.status).toBe(403);
  });

  it('is rotated at sign-in: what was issued before is dead, and the new one is of the session', async () => {
    const url = await listen(appWith());
    const visitor = client(url, VISITOR);
    const before = await tokenOf(visitor);

    const login = await visitor.post('/login', { json: { sid: 'one' }, headers: { 'x-csrf-token': before } });
    const { csrfToken: after } = (await login.json()) as { csrfToken: string };

    expect(after).not.toBe(before);
    expect(await statusWith(visitor, before)).toBe(403);
    expect(await statusWith(visitor, after)).toBe(200);
    await visitor.cookies.setCookie('sid=two', url);
    expect(await statusWith(visitor, after)).toBe(403);
    expect(await tokenOf(visitor)).not.toBe(after);
  });

  it('of an older secret is valid while that is in the list', async () => {
    let protection = csrf({ secrets: OLD_SECRET, publicUrl: 'http://app.example' });
    const app = express();
    app.use((req, res, next) => protection(req, res, next));
    app.get('/auth/csrf', (req, res, next) => protection.route()(req, res, next));
    app.post('/change', (_req, res) => void res.end());
    app.use(errorHandler());
    const visitor = client(await listen(app), VISITOR);
    const token = await tokenOf(visitor);

    protection = csrf({ secrets: [SECRET, OLD_SECRET], publicUrl: 'http://app.example' });
    expect(await statusWith(visitor, token)).toBe(200);
    protection = csrf({ secrets: [SECRET], publicUrl: 'http://app.example' });
    expect(await statusWith(visitor, token)).toBe(403);
  });

  it('leaves req.cookies to whoever parses them', async () => {
    const app = express();
    const protection = csrf({ secrets: SECRET, publicUrl: 'http://app.example' });
    app.use((req, res, next) => {
      protection.token(req, res);
      next();
    });
    app.use((req, res) => void res.json({ has: 'cookies' in req }));

    expect(await (await fetch(await listen(app))).json()).toEqual({ has: false });
  });
});

describe('csrf: the cookies', () => {
  it('are kept by no cache in front of the app, and neither is the page that the token stands in', async () => {
    const visitor = client(await listen(appWith()));
    const first = await visitor.get('/page');
    expect(first.headers.getSetCookie()).toHaveLength(2);
    expect(first.headers.get('cache-control')).toBe('private, max-age=60');
    const again = await visitor.get('/page');
    expect(again.headers.get('cache-control')).toBe('private, max-age=60');
  });

  const cookiesOf = async (options: Partial<CsrfOptions>): Promise<string[]> => {
    const answer = await fetch(`${await listen(appWith(options))}/auth/csrf`);
    return answer.headers.getSetCookie().map((cookie) => cookie.replace(/=[^;]+/, '=…'));
  };

  it('are tied to the host where visitors come by https', async () => {
    expect(await cookiesOf({ publicUrl: 'https://app.example' })).toEqual([
      '__Host-csrf-id=…; Path=/; HttpOnly; Secure; SameSite=Lax',
      '__Host-csrf=…; Path=/; HttpOnly; Secure; SameSite=Lax',
    ]);
  });

  it('have names that http allows otherwise', async () => {
    expect(await cookiesOf({ cookie: { name: 'forgery', sameSite: 'strict' } })).toEqual([
      'forgery-id=…; Path=/; HttpOnly; SameSite=Strict',
      'forgery=…; Path=/; HttpOnly; SameSite=Strict',
    ]);
  });

  it('are one where a session takes the place of the other', async () => {
    expect(await cookiesOf({ session: () => 'id' })).toHaveLength(1);
  });
});

describe('options of csrf', () => {
  const good = { secrets: SECRET, publicUrl: 'https://app.example' };

  it.each([
    [undefined, '"options" must be an object'],
    [{ ...good, secret: 'x' }, '"secret" is not an option; did you mean "secrets"?'],
    [{ ...good, secrets: undefined }, '"secrets" must be of at least 32 bytes each, got undefined'],
    [{ ...good, secrets: 'short' }, '"secrets" must be of at least 32 bytes each, got text of 5 characters'],
    [{ ...good, secrets: [SECRET, ''] }, '"secrets" must be of at least 32 bytes each, got ""'],
    [{ ...good, secrets: [] }, '"secrets" must be one secret at least'],
    [{ ...good, publicUrl: undefined }, '"publicUrl" must be a URL such as https://app.example.com'],
    [{ ...good, publicUrl: 'app.example' }, '"publicUrl" must be a URL'],
    [{ ...good, publicUrl: 'ftp://app.example' }, '"publicUrl" must be a URL'],
    [{ ...good, origins: '*' }, '"origins" must be a list of origins, got "*"'],
    [{ ...good, origins: ['*'] }, '"origins" must be origins such as'],
    [{ ...good, origins: ['null'] }, '"origins" must be origins such as'],
    [{ ...good, origins: [() => true] }, '"origins" must be origins such as'],
    [{ ...good, origins: ['http://a.example'], production: true }, 'is not https'],
    [{ ...good, session: 'sid' }, '"session" must be a function, got "sid"'],
    [{ ...good, cookie: 'csrf' }, '"cookie" must be an object'],
    [{ ...good, cookie: { name: 'a b' } }, '"cookie.name" must be letters, digits, - and _'],
    [{ ...good, cookie: { name: '__Host-csrf' } }, '"cookie.name" must be letters'],
    [{ ...good, cookie: { sameSite: 'none' } }, '"cookie.sameSite" must be "lax" or "strict", got "none"'],
    [{ ...good, cookie: { secure: false } }, '"cookie": "secure" is not an option'],
  ])('refuse %j', (options, message) => {
    const build = (): unknown => csrf(options as CsrfOptions);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(`csrf: ${message}`.replace('csrf: is not', 'is not'));
  });
});
