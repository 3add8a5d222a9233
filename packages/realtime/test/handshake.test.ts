import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { UnauthorizedError } from '@signalbox/errors';
import { signals, type SocketState } from '@signalbox/signals';
import { onTestFinished } from 'vitest';
import { once } from 'node:events';
import { rawSocket, byName, clientOf, enter, heard, open, refusalOf } from './stage.js';

describe('the handshake', () => {
  it('greets who signs in by a token', async () => {
    const { url } = await open({ authenticate: byName });
    const socket = clientOf(url, { auth: { token: 'ada' } });
    const greeting = await heard(socket, 'connected');
    expect(greeting).toEqual({ id: socket.id, subject: 'ada', roles: [], expiresAt: null });
  });

  it.for([['websocket'], ['polling'], ['polling', 'websocket']])(
    'greets who signs in by a cookie, over %s',
    async (transports) => {
      const { url } = await open({
        authenticate: ({ headers }) => (headers.cookie === 'sid=ada' ? { subject: 'ada' } : undefined),
      });
      const socket = clientOf(url, { transports, extraHeaders: { cookie: 'sid=ada' } });
      expect(await heard(socket, 'connected')).toMatchObject({ subject: 'ada' });
      expect((await refusalOf(url, { transports })).code).toBe(401);
    },
  );

  it('tells in the shape of HTTP errors why somebody is not let in', async () => {
    const { url, live } = await open({
      authenticate(_req, { token }) {
        if (token === 'old') throw new UnauthorizedError('The token has expired', { code: 'token_expired' });
        if (token === 'bug') throw new Error('password of the database: hunter2');
        return undefined;
      },
      log: { error: () => undefined },
    });
    expect(await refusalOf(url)).toEqual({
      code: 401,
      type: 'authentication_required',
      message: 'Sign in first',
      timestamp: expect.any(String) as string,
    });
    expect(await refusalOf(url, { auth: { token: 'old' } })).toMatchObject({
      code: 401,
      type: 'token_expired',
    });
    expect(await refusalOf(url, { auth: { token: 'bug' } })).toMatchObject({
      code: 500,
      message: 'Internal Server Error',
    });
    expect(live.report()).toMatchObject({
      sockets: 0,
      refused: { authentication_required: 1, token_expired: 1, internal_server_error: 1 },
    });
  });

  it('lets nobody in by mistake: a principal has a subject', async () => {
    const errors: object[] = [];
    const { url } = await open({
      // @ts-expect-error -- what JavaScript may return
      authenticate: () => ({ id: 7 }),
      log: { error: (fields) => errors.push(fields) },
    });
    expect((await refusalOf(url)).code).toBe(500);
    expect((errors[0] as { err: Error }).err.message).toContain('must return a principal with a subject');
  });

  it('does not wait for ever for a sign-in', async () => {
    const { url } = await open({
      authenticate: () => new Promise<undefined>(() => undefined),
      authenticateTimeoutMs: 100,
      log: { error: () => undefined },
    });
    expect(await refusalOf(url)).toMatchObject({ code: 504, type: 'deadline_exceeded' });
  });

  it('takes what a client sends as its credential for what it is', async () => {
    const seen: unknown[] = [];
    const { url } = await open({ anonymous: true, authenticate: (_req, auth) => void seen.push(auth) });
    await enter(url, { auth: { token: { $gt: '' } } });
    await enter(url);
    expect(seen).toEqual([{ token: { $gt: '' } }, {}]);
  });

  it('forgets credentials once they were looked at, but for the next time it has to ask', async () => {
    const { url, live } = await open({ authenticate: byName });
    await enter(url, { auth: { token: 'ada' }, extraHeaders: { cookie: 'a=1', authorization: 'Bearer x' } });
    const [socket] = await live.io.fetchSockets();
    expect(JSON.stringify(socket?.handshake)).not.toMatch(/ada|a=1|Bearer/);
    await live.recheck();
    expect(live.report().sockets).toBe(1);
  });

  it('holds in all namespaces, also those that the app opens itself', async () => {
    const { url, live } = await open({ authenticate: byName, namespaces: ['/custom'] });
    live.io.of('/own');
    for (const name of ['/custom', '/own']) {
      expect((await refusalOf(`${url}${name}`)).type).toBe('authentication_required');
      await enter(`${url}${name}`, { auth: { token: 'ada' } });
    }
    const error = await heard<Error>(clientOf(`${url}/other`, { auth: { token: 'ada' } }), 'connect_error');
    expect(error.message).toBe('Invalid namespace');
    expect(live.report()).toMatchObject({ sockets: 2, subjects: 1 });
  });

  it('lets anonymous sockets in where that is asked for', async () => {
    const { url } = await open({ authenticate: byName, anonymous: true });
    const socket = clientOf(url);
    expect(await heard(socket, 'connected')).toMatchObject({ subject: null });
  });

  it('bounds the sockets of a subject, also when they all come at once', async () => {
    const { url, live } = await open({ authenticate: byName, maxSocketsPerSubject: 3 });
    const all = Array.from({ length: 10 }, () => clientOf(url, { auth: { token: 'ada' } }));
    await Promise.all(
      all.map((socket) =>
        Promise.race([heard(socket, 'connected'), heard(socket, 'connect_error'), heard(socket, 'error')]),
      ),
    );
    await eventually(() => live.report().sockets === 3);
    expect(live.report().connections).toBeLessThanOrEqual(10);
    expect((await refusalOf(url, { auth: { token: 'ada' } })).type).toBe('too_many_sockets');
    await enter(url, { auth: { token: 'bob' } });
  });

  it('asks the limits of the app', async () => {
    const asked: unknown[] = [];
    const { url } = await open({
      authenticate: byName,
      async limit(principal, event) {
        asked.push([principal.subject, event]);
        if (asked.length > 1)
          throw Object.assign(new Error('Too many'), { status: 429, code: 'rate_limited' });
      },
    });
    await enter(url, { auth: { token: 'ada' } });
    expect(await refusalOf(url, { auth: { token: 'ada' } })).toMatchObject({
      code: 429,
      type: 'rate_limited',
    });
    expect(asked).toEqual([
      ['ada', 'connect'],
      ['ada', 'connect'],
    ]);
  });

  it('closes connections that enter no namespace', async () => {
    const { url, live } = await open({ anonymous: true, connectTimeoutMs: 150 });
    await once(await rawSocket(url), 'close');
    expect(live.report().connections).toBe(0);
  });

  it('tells by signals who came, went and was refused', async () => {
    const states: SocketState[] = [];
    onTestFinished(signals.socketState.subscribe((state) => states.push(state)));
    const { url } = await open({ authenticate: byName });
    await refusalOf(url);
    (await enter(url, { auth: { token: 'ada' } })).disconnect();
    await eventually(() => states.length === 3);
    expect(states).toEqual([
      { namespace: '/', state: 'refused', reason: 'authentication_required' },
      { namespace: '/', state: 'connected', reason: undefined },
      { namespace: '/', state: 'disconnected', reason: 'client namespace disconnect' },
    ]);
  });
});
