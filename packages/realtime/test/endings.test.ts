import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { remainingMs, runInContext } from '@signalbox/context';
import { UnauthorizedError } from '@signalbox/errors';
import { eventually } from '../../../test/support/eventually.js';
import type { Revocation, SocketPrincipal } from '../src/index.js';
import { ask, byName, clientOf, enter, everything, heard, open, refused } from './stage.js';

interface Ended {
  error: { code: number; type: string; details?: unknown };
}

describe('a credential', () => {
  it('that is about to end is told, and its socket ends with it', async () => {
    const { url, live } = await open({
      authenticate: () => ({ subject: 'ada', expiresAt: Date.now() + 600 }),
      expiryNoticeMs: 400,
    });
    const socket = clientOf(url);
    const { expiresAt } = await heard<{ expiresAt: number }>(socket, 'connected');
    const notice = await heard<{ expiresAt: number; endsInMs: number }>(socket, 'token_expired');
    expect(notice.expiresAt).toBe(expiresAt);
    expect(notice.endsInMs).toBeGreaterThan(0);
    expect(notice.endsInMs).toBeLessThanOrEqual(300);

    const ended = heard<Ended>(socket, 'error');
    // Of Socket.IO: the client does not try again by itself.
    expect(await heard(socket, 'disconnect')).toBe('io server disconnect');
    expect((await ended).error).toMatchObject({ code: 401, type: 'token_expired' });
    expect(Date.now() - expiresAt).toBeLessThan(1_000);
    expect(live.report().sockets).toBe(0);
  });

  it('may be renewed, and the socket goes on', async () => {
    const { url, live } = await open({
      authenticate: (_req, { token }) => ({
        subject: 'ada',
        roles: [String(token)],
        expiresAt: Date.now() + 1_600,
      }),
      rooms: (_room, { roles }) => roles?.[0] === 'first',
      events: { who: { handler: (_payload, { principal }) => principal.roles } },
    });
    const socket = await enter(url, { auth: { token: 'first' } });
    await ask(socket, 'join', { room: 'for the first' });
    const left = heard(socket, 'left');
    for (let round = 0; round < 2; round += 1) {
      await heard(socket, 'token_expired');
      expect(await ask(socket, 'renew', { token: 'second' })).toEqual({
        expiresAt: expect.any(Number) as number,
      });
    }
    expect(socket.connected).toBe(true);
    // What only the first might enter, it has left.
    expect(await left).toEqual({ room: 'for the first' });
    expect(await ask(socket, 'who')).toEqual(['second']);
    expect(live.report()).toMatchObject({ sockets: 1, subjects: 1, rooms: 1 });
  });

  it('that was renewed counts, whatever is found out about the one before', async () => {
    let answers: ((found: SocketPrincipal | undefined) => void)[] = [];
    let isSlow = false;
    const { url, live } = await open({
      authenticate: async (_req, { token }) => {
        if (isSlow && token === 'old')
          return new Promise<SocketPrincipal | undefined>((resolve) => answers.push(resolve));
        return token === 'wrong' ? undefined : { subject: 'ada', roles: [String(token)] };
      },
      events: { who: { handler: (_payload, { principal }) => principal.roles } },
    });

    for (const found of [undefined, { subject: 'ada', roles: ['old'] }]) {
      isSlow = false;
      answers = [];
      const socket = await enter(url, { auth: { token: 'old' } });
      isSlow = true;
      const rechecked = live.recheck();
      await eventually(() => answers.length === 1);
      const renewed = ask(socket, 'renew', { token: 'new' });
      // On its way, and heard.
      await ask(socket, 'who');
      answers[0]?.(found);
      expect(await renewed).toEqual({ expiresAt: null });
      await rechecked;
      expect(await ask(socket, 'who')).toEqual(['new']);
      socket.disconnect();
    }

    // What renews nothing saves nobody.
    isSlow = false;
    answers = [];
    const socket = await enter(url, { auth: { token: 'old' } });
    isSlow = true;
    void live.recheck();
    await eventually(() => answers.length === 1);
    const failed = refused(socket, 'renew', { token: 'wrong' });
    await ask(socket, 'who');
    const gone = heard(socket, 'disconnect');
    answers[0]?.(undefined);
    expect((await failed).type).toBe('authentication_required');
    await eventually(() => answers.length === 2);
    answers[1]?.(undefined);
    expect(await gone).toBe('io server disconnect');
  });

  it('may not be renewed by that of somebody else, or by a wrong one', async () => {
    const { url } = await open({ authenticate: byName });
    const socket = await enter(url, { auth: { token: 'ada' } });
    expect((await refused(socket, 'renew', { token: 'bob' })).type).toBe('conflicting_credentials');
    expect((await refused(socket, 'renew', {})).type).toBe('authentication_required');
    expect((await refused(socket, 'renew', 'text')).type).toBe('authentication_required');
    expect(socket.connected).toBe(true);
  });

  it('is renewed by every page of a subject, however many are open', async () => {
    const { url } = await open({ authenticate: byName });
    const pages = await Promise.all(
      Array.from({ length: 12 }, async () => enter(url, { auth: { token: 'ada' } })),
    );
    const answers = await Promise.all(pages.map((socket) => ask(socket, 'renew', { token: 'ada' })));
    expect(answers).toEqual(pages.map(() => ({ expiresAt: null })));
    // Each by itself cannot ask for ever.
    const [page] = pages;
    if (page === undefined) throw new Error('there are twelve');
    for (let round = 1; round < 5; round += 1) await ask(page, 'renew', { token: 'ada' });
    expect((await refused(page, 'renew', { token: 'ada' })).type).toBe('rate_limited');
  });

  it('that has ended lets nobody in', async () => {
    const { url } = await open({ authenticate: () => ({ subject: 'ada', expiresAt: Date.now() - 1 }) });
    const error = await heard<Error & { data: Ended }>(clientOf(url), 'connect_error');
    expect(error.data.error).toMatchObject({ code: 401, type: 'token_expired' });
  });

  it('that lasts for years needs no timer that can wait so long', async () => {
    const { url } = await open({
      authenticate: () => ({ subject: 'ada', expiresAt: Date.now() + 5 * 365 * 86_400_000 }),
    });
    const socket = await enter(url);
    const all = everything(socket);
    await sleep(100);
    expect(all).toEqual([]);
  });
});

describe('a sign-out', () => {
  it.for([
    [{ subject: 'ada' }, ['ada:1', 'ada:2']],
    [{ subject: 'ada', session: '1' }, ['ada:1']],
    [{ session: '2' }, ['ada:2']],
    [{ subject: 'ada', except: '1' }, ['ada:2']],
    [{ subject: 'bob', session: '1' }, []],
    [{}, []],
    [{ except: '1' }, []],
  ] as const)('of %j ends %j', async ([target, ended]) => {
    const { url, live } = await open({ authenticate: byName });
    const tokens = ['ada:1', 'ada:2', 'bob:3'];
    const sockets = await Promise.all(tokens.map(async (token) => enter(url, { auth: { token } })));
    expect(live.end(target, 'banned')).toBe(ended.length);
    await eventually(() => sockets.filter(({ connected }) => !connected).length === ended.length);
    expect(tokens.filter((_, index) => !sockets[index]?.connected)).toEqual(ended);
    expect(live.report().sockets).toBe(3 - ended.length);
  });

  it('ends a socket within a second, with the reason, and it does not come back by itself', async () => {
    const { url, live } = await open({ authenticate: byName });
    const socket = await enter(url, { auth: { token: 'ada' }, reconnection: true, reconnectionDelay: 1 });
    const told = heard<Ended>(socket, 'error');
    const gone = heard(socket, 'disconnect');
    const start = performance.now();
    live.end({ subject: 'ada' }, 'banned');
    expect((await told).error).toMatchObject({
      code: 401,
      type: 'session_ended',
      details: { reason: 'banned' },
    });
    expect(await gone).toBe('io server disconnect');
    expect(performance.now() - start).toBeLessThan(1_000);
    await sleep(100);
    expect(live.report()).toMatchObject({ sockets: 0, connections: 0 });
  });

  it('ends only what was issued until then', async () => {
    const { url, live } = await open({
      authenticate: (_req, { at }) => ({ subject: 'ada', issuedAt: Number(at) }),
    });
    const old = await enter(url, { auth: { at: 1_000 } });
    const fresh = await enter(url, { auth: { at: 3_000 } });
    expect(live.end({ subject: 'ada', issuedUntil: 2_000 })).toBe(1);
    await eventually(() => !old.connected);
    expect(fresh.connected).toBe(true);
  });

  it('also ends a socket that is just being let in', async () => {
    let letIn: (() => void) | undefined;
    const { url, live } = await open({
      authenticate: () =>
        new Promise<SocketPrincipal>((resolve) => {
          letIn = () => resolve({ subject: 'ada', session: 's1' });
        }),
    });
    const gone = heard(clientOf(url), 'disconnect');
    await eventually(() => letIn !== undefined);
    letIn?.();
    // It was found to be right before the sign-out, and is there only after.
    live.end({ session: 's1' });
    expect(await gone).toBe('io server disconnect');
    expect(live.report().sockets).toBe(0);
  });

  it('is heard from the bus of the app; a change of roles asks anew, and so does a gap', async () => {
    let tell = (_event: Revocation): void => undefined;
    let gap = (): void => undefined;
    let isUnsubscribed = false;
    const signedOut = new Set<unknown>();
    let roles = ['reader'];
    const { url, live } = await open({
      authenticate: (_req, { token }) => {
        if (signedOut.has(token)) throw new UnauthorizedError('Revoked', { code: 'token_revoked' });
        return { subject: String(token), roles };
      },
      rooms: (_room, principal) => principal.roles?.includes('reader') ?? false,
      revoked(listener, { onGap }) {
        tell = listener;
        gap = onGap;
        return () => {
          isUnsubscribed = true;
        };
      },
    });
    const ada = await enter(url, { auth: { token: 'ada' } });
    const bob = await enter(url, { auth: { token: 'bob' } });
    const eve = await enter(url, { auth: { token: 'eve' } });
    await ask(bob, 'join', { room: 'reading' });

    tell({ type: 'signed_out', subject: 'ada' });
    await heard(ada, 'disconnect');

    roles = [];
    const left = heard(bob, 'left');
    tell({ type: 'roles_changed', subject: 'bob' });
    expect(await left).toEqual({ room: 'reading' });

    // Nobody said so in time.
    signedOut.add('eve');
    const told = heard<Ended>(eve, 'error');
    gap();
    expect((await told).error.type).toBe('token_revoked');
    await eventually(() => live.report().sockets === 1);
    expect(bob.connected).toBe(true);

    await live.close();
    expect(isUnsubscribed).toBe(true);
  });

  it.for([
    [
      'a change of roles',
      (tell: (event: Revocation) => void) => tell({ type: 'roles_changed', subject: 'ada' }),
    ],
    ['a gap', (_tell: unknown, gap: () => void) => gap()],
  ] as const)('asks anew about who was being let in during %s', async ([, happens]) => {
    let roles = ['reader'];
    let tell: (event: Revocation) => void = () => undefined;
    let gap: () => void = () => undefined;
    let letIn: (() => void) | undefined;
    const { url, live } = await open({
      authenticate: () => ({ subject: 'ada', roles }),
      limit: (_principal, event) =>
        event === 'connect' ? new Promise<void>((resolve) => (letIn = resolve)) : undefined,
      revoked(listener, { onGap }) {
        tell = listener;
        gap = onGap;
      },
      events: { who: { handler: (_payload, { principal }) => principal.roles } },
    });
    const entered = enter(url);
    await eventually(() => letIn !== undefined);
    roles = [];
    happens(tell, gap);
    letIn?.();
    const socket = await entered;
    await eventually(async () => (await ask<string[]>(socket, 'who')).length === 0);
    expect(live.report().sockets).toBe(1);
  });

  it('asks anew about who was being let in while more were signed out than are remembered', async () => {
    const signedOut = new Set<unknown>();
    let letIn: (() => void) | undefined;
    const { url, live } = await open({
      authenticate: (_req, { token }) => (signedOut.has(token) ? undefined : { subject: String(token) }),
      limit: (_principal, event) =>
        event === 'connect' ? new Promise<void>((resolve) => (letIn = resolve)) : undefined,
    });
    const gone = heard(clientOf(url, { auth: { token: 'ada' } }), 'disconnect');
    await eventually(() => letIn !== undefined);
    for (const subject of ['ada', ...Array.from({ length: 1_000 }, (_, index) => `u_${index}`)]) {
      signedOut.add(subject);
      live.end({ subject });
    }
    letIn?.();
    expect(await gone).toBe('io server disconnect');
    expect(live.report().sockets).toBe(0);
  });

  it('is over for a socket that goes while it is asked about: it counts for nobody any more', async () => {
    let isSlow = false;
    const answers: (() => void)[] = [];
    const { url, live } = await open({
      maxSocketsPerSubject: 1,
      authenticate: async () => {
        if (isSlow) await new Promise<void>((resolve) => answers.push(resolve));
        return { subject: 'ada' };
      },
    });
    const socket = await enter(url);
    isSlow = true;
    const rechecked = live.recheck();
    await eventually(() => answers.length === 1);
    socket.disconnect();
    await eventually(() => live.report().sockets === 0);
    isSlow = false;
    answers[0]?.();
    await rechecked;
    expect(live.report()).toMatchObject({ sockets: 0, subjects: 0 });
    await enter(url);
  });

  it('asks again later where nobody can say', async () => {
    let isDown = false;
    let asked = 0;
    const { url, live } = await open({
      authenticate(_req, { token }) {
        asked += 1;
        if (isDown) throw Object.assign(new Error('down'), { status: 503 });
        return asked > 2 ? undefined : { subject: String(token) };
      },
      log: { error: () => undefined },
    });
    const socket = await enter(url, { auth: { token: 'ada' } });
    isDown = true;
    await live.recheck();
    expect(socket.connected).toBe(true);
    isDown = false;
    expect(await heard(socket, 'disconnect')).toBe('io server disconnect');
  });

  it('asks again later about rooms, too, that nobody could say about when a socket was renewed', async () => {
    let isDown = false;
    const { url } = await open({
      authenticate: (_req, { token }) => ({ subject: 'ada', roles: token === 'old' ? ['reader'] : [] }),
      rooms(_room, principal) {
        if (isDown) throw Object.assign(new Error('down'), { status: 503 });
        return principal.roles?.includes('reader') ?? false;
      },
      log: { error: () => undefined },
    });
    const socket = await enter(url, { auth: { token: 'old' } });
    await ask(socket, 'join', { room: 'reading' });
    const left = heard(socket, 'left');
    isDown = true;
    expect(await refused(socket, 'renew', { token: 'new' })).toMatchObject({ code: 503 });
    isDown = false;
    expect(await left).toEqual({ room: 'reading' });
  });

  it('asks again later once, however often it was asked in vain', async () => {
    let isDown = false;
    let asked = 0;
    const { url, live } = await open({
      authenticate() {
        asked += 1;
        if (isDown) throw Object.assign(new Error('down'), { status: 503 });
        return { subject: 'ada' };
      },
      log: { error: () => undefined },
    });
    const socket = await enter(url);
    isDown = true;
    await Promise.all(Array.from({ length: 10 }, () => live.recheck()));
    asked = 0;
    isDown = false;
    await eventually(() => asked > 0);
    await sleep(100);
    expect(asked).toBe(1);
    expect(socket.connected).toBe(true);
  });

  it('asks again later in a time of its own, not in that of the request which changed something', async () => {
    let asked = 0;
    const { url, live } = await open({
      authenticate(_req, { token }) {
        asked += 1;
        // As a link to Redis does it, and here it is away at first.
        if (asked === 2 || remainingMs() === 0) throw Object.assign(new Error('down'), { status: 503 });
        return asked > 2 ? undefined : { subject: String(token) };
      },
      log: { error: () => undefined },
    });
    const socket = await enter(url, { auth: { token: 'ada' } });
    await runInContext({ deadline: performance.now() + 100 }, () => live.recheck());
    expect(await heard(socket, 'disconnect')).toBe('io server disconnect');
  });
});
