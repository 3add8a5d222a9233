import { deadline, remainingMs, requestContext } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { sessions, type LoadUser } from '../src/index.js';
import { appWith, SECRET, send, withErrors } from './support.js';

declare global {
  namespace Express {
    interface User {
      name?: string;
    }
  }
}

async function serve(loadUser: LoadUser, options: { userCacheMs?: number; loadTimeoutMs?: number } = {}) {
  const { app, session } = appWith({ loadUser, ...options });
  const url = await listen(withErrors(app));
  const { cookie } = await send('POST', `${url}/in/alice`);
  session.forgetUser('alice');
  return { url, session, cookie };
}

describe('loadUser', () => {
  it('finds req.user, once for many requests that come at once, and then from memory', async () => {
    let loads = 0;
    const { url, session, cookie } = await serve(async (id) => {
      loads += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return { name: `${id} the ${loads}.` };
    });
    loads = 0;
    const me = () => send('GET', `${url}/me`, { cookie });
    const answers = await Promise.all(Array.from({ length: 20 }, me));
    expect(new Set(answers.map(({ body }) => body['user']?.['name']))).toEqual(new Set(['alice the 1.']));
    expect((await me()).body['user']?.['name']).toBe('alice the 1.');
    session.forgetUser('alice');
    expect((await me()).body['user']?.['name']).toBe('alice the 2.');
    expect((await send('GET', `${url}/me`)).body['user']).toBe(undefined);
  });

  it('has a time of its own, whichever of those that come at once is the first', async () => {
    let left: number | undefined;
    const loadUser = async (): Promise<object> => {
      left = remainingMs();
      return {};
    };
    const { app, session } = appWith({ loadUser });
    const url = await listen(withErrors(express().use(requestContext(), deadline(5_000), app)));
    const { cookie } = await send('POST', `${url}/in/alice`);
    session.forgetUser('alice');
    await send('GET', `${url}/me`, { cookie });
    expect(left).toBe(Infinity);
  });

  it('is asked each time where nothing is kept', async () => {
    let loads = 0;
    const { url, cookie } = await serve(() => ({ name: `${(loads += 1)}` }), { userCacheMs: 0 });
    const before = loads;
    for (let times = 0; times < 3; times++) await send('GET', `${url}/me`, { cookie });
    expect(loads).toBe(before + 3);
  });

  it('that fails takes required() down, and nothing else', async () => {
    const { url, cookie } = await serve(async () => {
      throw Object.assign(new Error('no database'), { status: 503, code: 'postgres_unavailable' });
    });
    expect((await send('GET', `${url}/me`, { cookie })).body).toMatchObject({ session: { userId: 'alice' } });
    const refused = await send('GET', `${url}/required`, { cookie });
    expect([refused.status, refused.body.error?.type]).toEqual([503, 'postgres_unavailable']);
  });

  it('that never answers holds nobody for longer than it may', async () => {
    const { url, cookie } = await serve(() => new Promise(() => undefined), { loadTimeoutMs: 30 });
    expect((await send('GET', `${url}/me`, { cookie })).status).toBe(200);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(503);
  });

  it('that finds nobody leaves nobody signed in', async () => {
    const { url, cookie } = await serve(() => undefined);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
  });
});

describe('options', () => {
  it.each([
    [{}, 'sessions: "secrets" must be of at least 32 bytes each, got undefined'],
    [{ secrets: [] }, 'sessions: "secrets" must be one secret at least, got an array'],
    [{ secrets: 'short' }, 'sessions: "secrets" must be of at least 32 bytes each, got text of 5 characters'],
    [{ store: {} }, 'sessions: "store" must be memoryStore() or redisStore(), got an object'],
    [{ idleMs: '24h' }, 'sessions: "idleMs" must be an integer from 1 to 315360000000, got "24h"'],
    [
      { idleMs: 5_000, absoluteMs: 4_000 },
      'sessions: "absoluteMs" must be an integer from 5000 to 315360000000, got 4000',
    ],
    [{ maxPerUser: 0 }, 'sessions: "maxPerUser" must be an integer of at least 1, got 0'],
    [{ onMax: 'oldest' }, 'sessions: "onMax" must be "newest" or "refuse", got "oldest"'],
    [{ loadUser: {} }, 'sessions: "loadUser" must be a function, got an object'],
    [{ idle: 5 }, 'sessions: "idle" is not an option; did you mean "idleMs"?'],
    [
      { cookie: { samesite: 'lax' } },
      'sessions: "cookie": "samesite" is not an option; did you mean "sameSite"?',
    ],
    [
      { cookie: { sameSite: 'none' } },
      'sessions: "cookie.secure" must be true with sameSite "none", got false',
    ],
    [
      { cookie: { name: '__Host-x' } },
      'sessions: "cookie.name" must be letters, digits, - . and _, and not begin with __, got "__Host-x"',
    ],
    [{ cookie: { path: 'app' } }, 'sessions: "cookie.path" must be a path that begins with /, got "app"'],
  ])('%o is refused at construction', (options, message) => {
    const secrets = message.includes('secrets') ? {} : { secrets: SECRET };
    expect(() => sessions({ ...secrets, ...options } as never)).toThrow(new TypeError(message));
  });

  it('close() may be called again', () => {
    const session = sessions({ secrets: SECRET });
    session.close();
    session.close();
  });
});
