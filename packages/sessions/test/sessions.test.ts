import { createHmac } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { listen, testClock } from '@signalbox/testing';
import express, { type Request, type RequestHandler, type Response } from 'express';
import type { Session } from 'express-session';
import { describe, expect, it } from 'vitest';
import { memoryStore, sessions, type SessionsOptions } from '../src/index.js';
import { appWith, listening, SECRET, send, withErrors, type TestApp } from './support.js';

async function serve(
  options: Partial<SessionsOptions> = {},
  change: (app: TestApp) => void = () => undefined,
): Promise<{ url: string } & TestApp> {
  const made = appWith(options);
  change(made);
  return { url: await listen(withErrors(made.app)), ...made };
}

describe('the cookie', () => {
  it('in production is __Host-, Secure, HttpOnly, SameSite=Lax, for the whole host', async () => {
    const { url } = await serve({ production: true });
    const { headers } = await send('POST', `${url}/in/alice`);
    expect(headers['set-cookie']).toHaveLength(1);
    expect(headers['set-cookie']?.[0]).toMatch(
      /^__Host-sid=[\w.-]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  it('is neither Secure nor __Host- where there is no TLS', async () => {
    const { url } = await serve();
    const { headers } = await send('POST', `${url}/in/alice`);
    expect(headers['set-cookie']?.[0]).toMatch(
      /^sid=[\w.-]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    );
  });

  it.each([
    [{ secure: true, path: '/app' }, /^sid=.*; Path=\/app; .*Secure/],
    [{ secure: true, domain: 'example.com' }, /^sid=.*; Domain=example\.com; .*Secure/],
    [{ secure: true, name: 'visit', sameSite: 'none' as const }, /^__Host-visit=.*SameSite=None$/],
  ])('with %o keeps to what browsers accept', async (cookie, pattern) => {
    const { url } = await serve({ cookie });
    expect((await send('POST', `${url}/in/alice`)).headers['set-cookie']?.[0]).toMatch(pattern);
  });

  it('is not sent to those who have no session, nor again to those who have it', async () => {
    const { url } = await serve();
    for (const path of ['/plain', '/read', '/me']) {
      expect((await send('GET', url + path)).headers['set-cookie']).toBe(undefined);
    }
    const { cookie } = await send('POST', `${url}/count`);
    expect(cookie).toMatch(/^sid=/);
    expect((await send('POST', `${url}/count`, { cookie })).headers['set-cookie']).toBe(undefined);
    expect((await send('GET', `${url}/me`, { cookie })).body['session']).toEqual({ count: 2 });
  });

  it('is sent again, with a later end, once it is older than resendMs', async () => {
    const clock = testClock(Date.parse('2026-01-01T00:00:00Z'));
    const options = { idleMs: 3_600_000, absoluteMs: 5_400_000, resendMs: 600_000, now: clock.now };
    const { url } = await serve({ ...options, store: memoryStore({ now: clock.now }) });
    let { cookie } = await send('POST', `${url}/in/alice`);
    clock.advance(599_000);
    expect((await send('GET', `${url}/plain`, { cookie })).cookie).toBe(undefined);
    clock.advance(2_000);
    const { events } = listening();
    const again = await send('GET', `${url}/plain`, { cookie });
    expect(again.headers['set-cookie']?.[0]).toContain('Expires=Thu, 01 Jan 2026 01:20:01 GMT');
    expect(events).toEqual(['renewed']);
    cookie = again.cookie;
    expect((await send('GET', `${url}/required`, { cookie })).cookie).toBe(undefined);
    clock.advance(1_800_000);
    // Never later than the session's own end.
    const last = await send('GET', `${url}/plain`, { cookie });
    expect(last.headers['set-cookie']?.[0]).toContain('Expires=Thu, 01 Jan 2026 01:30:00 GMT');
  });

  it('is not sent again by an answer that comes after a sign-in beside it', async () => {
    const clock = testClock(Date.now());
    let arrive = (): void => undefined;
    let leave = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const left = new Promise<void>((resolve) => (leave = resolve));
    const options = { resendMs: 1_000, now: clock.now, store: memoryStore({ now: clock.now }) };
    const { url } = await serve(options, ({ app }) => {
      app.get('/slow', async (_req, res) => {
        arrive();
        await left;
        res.json({});
      });
    });
    const guest = await send('POST', `${url}/count`);
    clock.advance(2_000);
    const slow = send('GET', `${url}/slow`, { cookie: guest.cookie });
    await arrived;
    const user = await send('POST', `${url}/in/alice`, { cookie: guest.cookie });
    leave();
    expect((await slow).cookie).toBe(undefined);
    expect((await send('GET', `${url}/required`, { cookie: user.cookie })).status).toBe(200);
  });

  it('stays valid while secrets are replaced, also for sessionsOf() and the limit', async () => {
    const store = memoryStore();
    const [old, fresh] = ['an old secret, 32 bytes at least, yes', 'a new secret, 32 bytes at least, yes'];
    const before = await serve({ store, secrets: old, maxPerUser: 2 });
    const first = await send('POST', `${before.url}/in/alice`);
    const second = await send('POST', `${before.url}/in/alice`);
    const after = await serve({ store, secrets: [fresh, old], maxPerUser: 2, resendMs: 0 });
    const { cookie } = await send('GET', `${after.url}/required`, { cookie: first.cookie });
    expect(cookie).not.toBe(first.cookie);
    expect((await send('GET', `${after.url}/required`, { cookie })).status).toBe(200);
    expect(await after.session.sessionsOf('alice')).toHaveLength(2);

    const third = await send('POST', `${after.url}/in/alice`);
    expect(await after.session.sessionsOf('alice')).toHaveLength(2);
    const alone = await serve({ store, secrets: fresh });
    expect((await send('GET', `${alone.url}/required`, { cookie: third.cookie })).status).toBe(200);
    expect((await send('GET', `${alone.url}/required`, { cookie: second.cookie })).status).toBe(401);
    expect(await after.session.signOutEverywhere('alice')).toBe(2);
  });

  const forged = (): string => {
    const text = `${'a'.repeat(36)}.abc`;
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  };
  it.each([
    ['j:{}', 'j%3A%7B%7D'],
    ['j:{} in clear', 'j:{}'],
    ['express-session’s', 's%3Aabc.def'],
    ['8 kB', 'x'.repeat(8_000)],
    ['8 kB of dots', '.'.repeat(8_000)],
    ['empty', ''],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['toString', 'toString'],
    ['broken escapes', '%E0%A4%A'],
    ['quoted', '"quoted"'],
    ['signed with the secret itself', forged()],
    ['traversal', '../../etc/passwd'],
    ['equals signs', '=====;sid==;sid'],
  ])('that is hostile (%s) is no session and no error', async (_name, value) => {
    const { url } = await serve();
    for (const path of ['/plain', '/me', '/required']) {
      const answer = await send('GET', url + path, { cookie: `sid=${value}` });
      expect(answer.status).toBe(path === '/required' ? 401 : 200);
      expect(answer.cookie).toBe(undefined);
    }
    const made = await send('POST', `${url}/count`, { cookie: `sid=${value}` });
    expect(made.status).toBe(200);
    expect(made.cookie).toMatch(/^sid=/);
  });

  it('that is changed in any letter is no session', async () => {
    const { url } = await serve();
    const { cookie = '' } = await send('POST', `${url}/in/alice`);
    for (let index = 'sid='.length; index < cookie.length - 1; index++) {
      const letter = cookie[index] === 'A' ? 'B' : 'A';
      const changed = cookie.slice(0, index) + letter + cookie.slice(index + 1);
      expect((await send('GET', `${url}/required`, { cookie: changed })).status).toBe(401);
    }
  });

  it('is found beside others of its name, and beside names that end like it', async () => {
    const { url } = await serve();
    const { cookie = '' } = await send('POST', `${url}/in/alice`);
    for (const beside of [`sid=forged; ${cookie}`, `xsid=1; ${cookie}; a=b`, `a=sid=1;${cookie} `]) {
      expect((await send('GET', `${url}/required`, { cookie: beside })).status).toBe(200);
    }
    expect((await send('GET', `${url}/required`, { cookie: `x${cookie}` })).status).toBe(401);
  });
});

describe('signing in and out', () => {
  it('gives a new id, and the one before is dead at once', async () => {
    const { url } = await serve();
    const guest = await send('POST', `${url}/count`);
    const user = await send('POST', `${url}/in/alice`, { cookie: guest.cookie, json: { cart: [1] } });
    expect(user.cookie).not.toBe(guest.cookie);
    expect((await send('GET', `${url}/me`, { cookie: user.cookie })).body['session']).toEqual({
      userId: 'alice',
      cart: [1],
    });
    expect((await send('GET', `${url}/read`, { cookie: guest.cookie })).body).toEqual({});
    const again = await send('POST', `${url}/in/bob`, { cookie: user.cookie });
    expect((await send('GET', `${url}/required`, { cookie: user.cookie })).status).toBe(401);
    expect((await send('GET', `${url}/required`, { cookie: again.cookie })).body['userId']).toBe('bob');
  });

  it('ends the one before also where that takes a second try', async () => {
    const memory = memoryStore();
    let isAway = true;
    const store = {
      ...memory,
      async end(...args: Parameters<typeof memory.end>) {
        if (isAway) throw new Error('The store is away');
        return memory.end(...args);
      },
    };
    const { url } = await serve({ store }, ({ app, session }) => {
      app.post('/patiently', async (req, res) => {
        await expect(session.signIn(req, 'alice')).rejects.toMatchObject({ status: 503 });
        isAway = false;
        await session.signIn(req, 'alice');
        res.json({});
      });
    });
    const guest = await send('POST', `${url}/count`);
    const user = await send('POST', `${url}/patiently`, { cookie: guest.cookie });
    expect((await send('GET', `${url}/required`, { cookie: user.cookie })).body['userId']).toBe('alice');
    expect((await send('GET', `${url}/read`, { cookie: guest.cookie })).body).toEqual({});
  });

  it('ignores an id that somebody else chose', async () => {
    const { url } = await serve();
    const chosen = 'sid=an-id-that-an-attacker-has-fixed-before';
    const { cookie } = await send('POST', `${url}/in/alice`, { cookie: chosen });
    expect(cookie).not.toBe(chosen);
    expect((await send('GET', `${url}/required`, { cookie: chosen })).status).toBe(401);
  });

  it('ends the session, takes the cookie back, and leaves the request without one', async () => {
    const { events } = listening();
    const { url } = await serve();
    const { cookie } = await send('POST', `${url}/in/alice`);
    const out = await send('POST', `${url}/out`, { cookie });
    expect(out.body['session']).toBe(null);
    expect(out.headers['set-cookie']).toEqual([
      'sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
    ]);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
    expect((await send('POST', `${url}/out`, { cookie })).status).toBe(200);
    expect(events).toEqual(['started', 'ended']);
  });

  it('lists sessions with device and times, the last used first, and knows this one', async () => {
    const clock = testClock(Date.now());
    const { url, session } = await serve({ now: clock.now, store: memoryStore({ now: clock.now }) });
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
    const phone =
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Version/17.5 Mobile Safari/604.1';
    const startedAt = clock.now();
    const one = await send('POST', `${url}/in/alice`, { headers: { 'user-agent': firefox } });
    clock.advance(60_000);
    const two = await send('POST', `${url}/in/alice`, { headers: { 'user-agent': phone } });
    clock.advance(60_000);
    await send('GET', `${url}/plain`, { cookie: one.cookie });
    clock.advance(1_000);
    const { text } = await send('GET', `${url}/sessions`, { cookie: two.cookie });
    const iso = (ms: number): string => new Date(startedAt + ms).toISOString();
    expect(JSON.parse(text)).toEqual([
      {
        id: two.body['id'],
        createdAt: iso(60_000),
        lastSeenAt: iso(121_000),
        device: 'Safari on iPhone',
        current: true,
      },
      {
        id: one.body['id'],
        createdAt: iso(0),
        lastSeenAt: iso(120_000),
        device: 'Firefox on Linux',
        current: false,
      },
    ]);
    expect(await session.lastActivityOf('alice')).toEqual(new Date(startedAt + 121_000));
    clock.advance(1_800_001);
    expect(await session.lastActivityOf('alice')).toBe(undefined);
    expect(await session.lastActivityOf('nobody')).toBe(undefined);
  });

  it('ends one, the others, or all of a user’s sessions, and nobody else’s', async () => {
    const { url, session } = await serve({}, ({ app, session }) => {
      app.post('/others', async (req, res) => {
        res.json({ ended: await session.revokeOthers(req) });
      });
    });
    const [one, two, three, other] = await Promise.all(
      ['alice', 'alice', 'alice', 'bob'].map((user) => send('POST', `${url}/in/${user}`)),
    );
    const alive = async (answer: typeof one): Promise<boolean> =>
      (await send('GET', `${url}/required`, { cookie: answer?.cookie })).status === 200;

    expect(await session.revoke('alice', String(one?.body['id']))).toBe(true);
    expect(await session.revoke('alice', String(one?.body['id']))).toBe(false);
    expect(await session.revoke('alice', String(other?.body['id']))).toBe(false);
    for (const hostile of ['', '__proto__', '*', 'x'.repeat(5_000), undefined, {}]) {
      expect(await session.revoke('alice', hostile as string)).toBe(false);
    }
    expect([await alive(one), await alive(two), await alive(other)]).toEqual([false, true, true]);
    expect((await send('POST', `${url}/others`, { cookie: two?.cookie })).body).toEqual({ ended: 1 });
    expect([await alive(two), await alive(three)]).toEqual([true, false]);
    expect((await send('POST', `${url}/others`)).status).toBe(401);
    expect(await session.signOutEverywhere('alice')).toBe(1);
    expect([await alive(two), await alive(other)]).toEqual([false, true]);
  });

  it('at most so many sessions: the newest wins', async () => {
    const clock = testClock(Date.now());
    const { url } = await serve({ maxPerUser: 2, now: clock.now });
    const answers = [];
    for (let index = 0; index < 3; index++) {
      answers.push(await send('POST', `${url}/in/alice`));
      clock.advance(10);
    }
    const statuses = answers.map(
      async ({ cookie }) => (await send('GET', `${url}/required`, { cookie })).status,
    );
    expect(await Promise.all(statuses)).toEqual([401, 200, 200]);
  });

  it('at most so many sessions: the new one is refused', async () => {
    const { url } = await serve({ maxPerUser: 1, onMax: 'refuse' });
    const first = await send('POST', `${url}/in/alice`);
    const guest = await send('POST', `${url}/count`);
    const refused = await send('POST', `${url}/in/alice`, { cookie: guest.cookie });
    expect(refused.status).toBe(403);
    expect(refused.body.error).toMatchObject({ type: 'too_many_sessions', details: { max: 1 } });
    expect(refused.cookie).toBe(undefined);
    expect((await send('GET', `${url}/read`, { cookie: guest.cookie })).body).toEqual({ count: 1 });
    expect((await send('GET', `${url}/required`, { cookie: first.cookie })).status).toBe(200);
  });

  it.each([
    ['newest', [SECRET]],
    ['refuse', [SECRET]],
    ['newest', ['a newer secret of at least 32 bytes, too', SECRET]],
    ['refuse', ['a newer secret of at least 32 bytes, too', SECRET]],
  ] as const)(
    'at most so many sessions (%s): who signs in again here ends this one alone',
    async (onMax, secrets) => {
      const clock = testClock(Date.now());
      const options = { maxPerUser: 2, onMax, now: clock.now, store: memoryStore({ now: clock.now }) };
      const { url } = await serve(options);
      const there = await send('POST', `${url}/in/alice`);
      clock.advance(10);
      const here = await send('POST', `${url}/in/alice`);
      clock.advance(10);
      const { url: later, session } = await serve({ ...options, secrets });
      const again = await send('POST', `${later}/in/alice`, { cookie: here.cookie });
      expect(again.status).toBe(200);
      const statuses = [there, here, again].map(
        async ({ cookie }) => (await send('GET', `${later}/required`, { cookie })).status,
      );
      expect(await Promise.all(statuses)).toEqual([200, 401, 200]);
      expect(await session.sessionsOf('alice')).toHaveLength(2);
    },
  );

  it('is kept from being idle by its public name, as long as it is alive', async () => {
    const clock = testClock(Date.now());
    const options = { idleMs: 60_000, absoluteMs: 90_000, now: clock.now };
    const { url, session } = await serve({ ...options, store: memoryStore({ now: clock.now }) });
    const { cookie, body } = await send('POST', `${url}/in/alice`);
    const id = String(body['id']);
    clock.advance(50_000);
    expect([await session.extend('alice', id), await session.extend('bob', id)]).toEqual([true, false]);
    clock.advance(39_000);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
    clock.advance(1_000);
    expect(await session.extend('alice', id)).toBe(false);
    const other = await send('POST', `${url}/in/alice`);
    await send('POST', `${url}/out`, { cookie: other.cookie });
    expect(await session.extend('alice', String(other.body['id']))).toBe(false);
    expect(await session.extend('alice', '../no-name')).toBe(false);
  });

  it.each(['newest', 'refuse'] as const)(
    'at most so many sessions (%s), and those that are too old neither count nor are listed',
    async (onMax) => {
      const clock = testClock(Date.now());
      const { url, session } = await serve({
        idleMs: 60_000,
        absoluteMs: 60_000,
        maxPerUser: 1,
        onMax,
        now: clock.now,
        store: memoryStore({ now: clock.now }),
      });
      const { cookie } = await send('POST', `${url}/in/alice`);
      clock.advance(50_000);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
      clock.advance(10_000);
      expect(await session.sessionsOf('alice')).toEqual([]);
      expect(await session.lastActivityOf('alice')).toBe(undefined);
      // The browser has thrown its cookie away by now.
      const again = await send('POST', `${url}/in/alice`);
      expect((await send('GET', `${url}/required`, { cookie: again.cookie })).status).toBe(200);
      expect(await session.sessionsOf('alice')).toHaveLength(1);
    },
  );

  it('wants the middleware before it', async () => {
    const session = sessions({ secrets: SECRET });
    const app = express();
    app.get('/', session.required());
    const answer = await send('GET', await listen(withErrors(app)));
    expect(answer.status).toBe(500);
  });
});

describe('the middleware that is met a second time', () => {
  it('waits for the session that the first one asks for, and asks no more', async () => {
    const memory = memoryStore();
    let reads = 0;
    const store = {
      ...memory,
      // As far away as Redis is.
      async read(...args: Parameters<typeof memory.read>) {
        reads += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return memory.read(...args);
      },
    };
    const session = sessions({ secrets: SECRET, store });
    const app = express();
    app.post('/in', session, async (req, res) => {
      await session.signIn(req, 'u_1');
      res.end();
    });
    app.get('/both', (req, res) => {
      const seen: (string | undefined)[] = [];
      const next = (): void => {
        if (seen.push(req.session?.userId) === 2) res.json(seen);
      };
      void session(req, res, next);
      void session(req, res, next);
    });
    const url = await listen(withErrors(app));
    const { cookie } = await send('POST', `${url}/in`);
    expect((await send('GET', `${url}/both`, { cookie })).body).toEqual(['u_1', 'u_1']);
    expect(reads).toBe(1);
  });
});

it('another sessions() on the same request is refused, rather than given the sessions of the first', async () => {
  const admin = sessions({ secrets: SECRET, cookie: { name: 'admin' } });
  const { url } = await serve({}, ({ app }) => {
    app.post('/admin/in', admin, async (req, res) => {
      await admin.signIn(req, 'root');
      res.end();
    });
  });
  const answer = await send('POST', `${url}/admin/in`);
  expect(answer.status).toBe(500);
  expect(answer.headers['set-cookie']).toBe(undefined);
  expect((await send('POST', `${url}/in/alice`)).status).toBe(200);
});

describe('a session ends', () => {
  it('when it was idle for too long, and not while it is used', async () => {
    const clock = testClock(Date.now());
    const { events } = listening();
    const { url } = await serve({ idleMs: 60_000, now: clock.now, store: memoryStore({ now: clock.now }) });
    const { cookie } = await send('POST', `${url}/in/alice`);
    for (let times = 0; times < 5; times++) {
      clock.advance(50_000);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
    }
    clock.advance(60_001);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
    expect(events).toEqual(['started', 'expired']);
  });

  it('when it is too old, however much it is used', async () => {
    const clock = testClock(Date.now());
    const { events } = listening();
    const options = { idleMs: 60_000, absoluteMs: 150_000, now: clock.now };
    const { url, session } = await serve({ ...options, store: memoryStore({ now: clock.now }) });
    const { cookie } = await send('POST', `${url}/in/alice`);
    for (let times = 0; times < 2; times++) {
      clock.advance(50_000);
      expect((await send('GET', `${url}/required`, { cookie })).status).toBe(200);
    }
    clock.advance(50_000);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
    expect(events).toEqual(['started', 'expired']);
    expect(await session.sessionsOf('alice')).toEqual([]);
  });
});

describe('what express-session gives', () => {
  it('regenerate(), save(), reload() and destroy() work as they do there', async () => {
    const { url } = await serve({}, ({ app }) => {
      const done = (ask: (callback: (error: unknown) => void) => void): Promise<void> =>
        new Promise((resolve, reject) => ask((error) => (error ? reject(error) : resolve())));
      app.post('/regenerate', async (req, res) => {
        const before = req.sessionID;
        await done((callback) => void req.session.regenerate(callback));
        req.session.count = 100;
        res.json({ isNew: before !== req.sessionID });
      });
      app.post('/save', async (req, res) => {
        req.session.count = 7;
        await done((callback) => void req.session.save(callback));
        req.session.count = 8;
        await done((callback) => void req.session.reload(callback));
        res.json({ count: req.session.count });
      });
      app.post('/destroy', async (req, res) => {
        await done((callback) => void req.session.destroy(callback));
        res.json({ session: req.session ?? null });
      });
    });
    const { cookie } = await send('POST', `${url}/count`);
    const fresh = await send('POST', `${url}/regenerate`, { cookie });
    expect(fresh.body).toEqual({ isNew: true });
    expect((await send('GET', `${url}/read`, { cookie })).body).toEqual({});
    expect((await send('GET', `${url}/read`, { cookie: fresh.cookie })).body).toEqual({ count: 100 });
    expect((await send('POST', `${url}/save`, { cookie: fresh.cookie })).body).toEqual({ count: 7 });
    const gone = await send('POST', `${url}/destroy`, { cookie: fresh.cookie });
    expect(gone.body).toEqual({ session: null });
    expect(gone.cookie).toBe('sid=');
    expect((await send('GET', `${url}/read`, { cookie: fresh.cookie })).body).toEqual({});
  });

  it('regenerate() gives a session that is nobody’s yet', async () => {
    const loadUser = (id: string) => ({ name: id });
    const { url } = await serve({ loadUser }, ({ app, session }) => {
      const regenerate: RequestHandler = (req, _res, next) => void req.session.regenerate(next);
      app.get('/regenerate', regenerate, (req, res) => void res.json({ user: req.user ?? null }));
      app.get('/regenerate-required', regenerate, session.required(), (_req, res) => void res.json({}));
    });
    const first = await send('POST', `${url}/in/alice`);
    expect((await send('GET', `${url}/regenerate`, { cookie: first.cookie })).body).toEqual({ user: null });
    const second = await send('POST', `${url}/in/alice`);
    expect((await send('GET', `${url}/regenerate-required`, { cookie: second.cookie })).status).toBe(401);
  });

  it('destroy() leaves the visitor the cookie of a session that could not be ended', async () => {
    const memory = memoryStore();
    let isAway = true;
    const store = {
      ...memory,
      async end(...args: Parameters<typeof memory.end>) {
        if (isAway) throw new Error('The store is away');
        return memory.end(...args);
      },
    };
    const { url } = await serve({ store }, ({ app }) => {
      app.post('/destroy', (req, res, next) => {
        req.session.destroy((error: unknown) => (error ? next(error) : res.json({})));
      });
    });
    const { cookie } = await send('POST', `${url}/count`);
    const failed = await send('POST', `${url}/destroy`, { cookie });
    expect([failed.status, failed.headers['set-cookie']]).toEqual([503, undefined]);
    isAway = false;
    expect((await send('POST', `${url}/destroy`, { cookie })).cookie).toBe('sid=');
    expect((await send('GET', `${url}/read`, { cookie })).body).toEqual({});
  });

  it('load() gives a session without its request, as sockets need it, and saves key by key too', async () => {
    const { url } = await serve({}, ({ app }) => {
      app.post('/load', (req, res, next) => {
        req.session.cart = ['apple'];
        const { sessionStore: store, sessionID } = req;
        store.load(typeof req.query['id'] === 'string' ? req.query['id'] : sessionID, (_error, loaded) => {
          if (loaded === undefined) return void res.json({ loaded: null });
          const other = loaded as typeof req.session;
          other.count = 41;
          other.save((error: unknown) => (error ? next(error) : res.json({ loaded: other.userId })));
        });
      });
    });
    const { cookie } = await send('POST', `${url}/in/alice`);
    expect((await send('POST', `${url}/load`, { cookie })).body).toEqual({ loaded: 'alice' });
    expect((await send('GET', `${url}/me`, { cookie })).body['session']).toEqual({
      userId: 'alice',
      cart: ['apple'],
      count: 41,
    });
    for (const id of ['__proto__', '', 'x'.repeat(36), 'x'.repeat(5_000)]) {
      expect((await send('POST', `${url}/load?id=${id}`, { cookie })).body).toEqual({ loaded: null });
    }
  });

  const HANDSHAKES: [name: string, res: () => Partial<Response>][] = [
    ['no response at all', () => ({})],
    [
      'one of Socket.IO, of fields alone',
      () => {
        const fields = new Map<string, unknown>();
        const getHeader = (name: string) => fields.get(name) as string;
        return {
          setHeader: (name, value) => fields.set(name, value) as never,
          getHeader,
          writeHead: () => ({}) as never,
        };
      },
    ],
  ];
  it.each(HANDSHAKES)(
    'is read in a handshake, too, with %s, however old the cookie is',
    async (_name, handshake) => {
      let time = Date.now();
      const now = () => time;
      const { app, session } = appWith({ now, store: memoryStore({ now }) });
      const { cookie } = await send('POST', `${await listen(app)}/in/alice`);
      for (const age of [0, 16 * 60_000]) {
        time += age;
        const req = Object.assign(new IncomingMessage(new Socket()), { headers: { cookie } }) as Request;
        const res = handshake();
        await new Promise((resolve) => void session(req, res as Response, resolve));
        res.writeHead?.(101);
        expect(req.session.userId).toBe('alice');
        const isRenewed = age > 0 && res.getHeader !== undefined;
        const renewed = [expect.stringMatching(/^sid=.*HttpOnly/)];
        expect(res.getHeader?.('Set-Cookie')).toEqual(isRenewed ? renewed : undefined);
      }
    },
  );

  it('has its store at hand before anybody looks at it, as to end another one', async () => {
    const { url } = await serve({}, ({ app, session }) => {
      app.post('/id', (req, res) => void res.json({ id: req.sessionID }));
      app.delete('/other/:id', session.required(), (req, res, next) => {
        req.sessionStore.destroy(req.params['id'] as string, (error) => (error ? next(error) : res.json({})));
      });
    });
    const { cookie } = await send('POST', `${url}/in/alice`);
    const other = await send('POST', `${url}/in/alice`);
    const { id } = (await send('POST', `${url}/id`, { cookie: other.cookie })).body;
    expect((await send('DELETE', `${url}/other/${String(id)}`, { cookie })).status).toBe(200);
    expect((await send('GET', `${url}/required`, { cookie: other.cookie })).status).toBe(401);
  });

  it('keeps names that objects have anyway out of the session', async () => {
    const { url } = await serve();
    const { cookie } = await send('POST', `${url}/count`);
    for (const key of ['__proto__', 'constructor', 'toString', 'save', 'hasOwnProperty']) {
      await send('PUT', `${url}/keys/${key}`, { cookie, json: { value: { polluted: true } } });
    }
    const { body } = await send('GET', `${url}/me`, { cookie });
    expect(body['session']).toEqual({ count: 1 });
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  });

  it('keeps out of it what sessions have of themselves, also at a sign-in', async () => {
    const { url } = await serve({}, ({ app, session }) => {
      app.post('/change/:key', async (req, res) => {
        res.json({ changed: await session.change(req, req.params.key, () => 7) });
      });
    });
    const row = { key1: 'kept', id: 7, req: 7, cookie: 7, save: 7, regenerate: 7 };
    const user = await send('POST', `${url}/in/alice`, { json: row });
    expect(user.status).toBe(200);
    for (const key of ['id', 'req', 'cookie', 'save']) {
      expect((await send('POST', `${url}/change/${key}`, { cookie: user.cookie })).status).toBe(500);
    }
    expect((await send('GET', `${url}/me`, { cookie: user.cookie })).body['session']).toEqual({
      userId: 'alice',
      key1: 'kept',
    });
  });
});

describe('idOf()', () => {
  it('names the session, also right after sign-in, and nothing before there is one', async () => {
    const seen: unknown[] = [];
    const { url } = await serve({}, ({ app, session }) => {
      app.get('/id', (req, res) => {
        seen.push(session.idOf(req));
        // Looking at it makes none.
        seen.push(req.session.count, session.idOf(req));
        res.json({});
      });
    });
    const untouched = await send('GET', `${url}/id`);
    const { cookie, body } = await send('POST', `${url}/in/alice`);
    await send('GET', `${url}/id`, { cookie });
    expect(body['id']).toMatch(/^[\w-]{22}$/);
    expect(seen).toEqual([undefined, undefined, undefined, body['id'], undefined, body['id']]);
    expect(untouched.cookie).toBe(undefined);
    const again = await send('POST', `${url}/in/alice`, { cookie });
    expect(again.body['id']).not.toBe(body['id']);
  });
});

describe('the session of another copy of express-session', () => {
  it('is as good: connect-redis may have found its own', async () => {
    const load = createRequire(import.meta.url);
    const path = load.resolve('express-session/session/session.js');
    const ours = load(path) as unknown;
    delete load.cache[path];
    const Theirs = load(path) as new (req: Request, data: object) => Session;
    expect(Theirs).not.toBe(ours);

    const { url } = await serve({}, ({ app }) => {
      app.post('/copied', (req, res) => {
        req.session = new Theirs(req, {
          cookie: req.session.cookie,
          userId: req.session.userId,
          count: 7,
        }) as typeof req.session;
        res.json({ count: req.session.count });
      });
    });
    const { cookie } = await send('POST', `${url}/in/alice`);
    expect((await send('POST', `${url}/copied`, { cookie })).body).toEqual({ count: 7 });
    expect((await send('GET', `${url}/read`, { cookie })).body).toEqual({ count: 7 });
  });
});
