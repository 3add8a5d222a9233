import { Manager } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { send } from '../../../test/support/send.js';
import { byName, clientOf, enter, heard, open, rawSocket, refusalOf } from './stage.js';

describe('draining', () => {
  it('tells each client when to come back, and sends them away one after the other', async () => {
    const { url, live } = await open({ anonymous: true });
    const clients = await Promise.all(Array.from({ length: 10 }, async () => enter(url)));
    const told = clients.map((socket) => heard<{ afterMs: number }>(socket, 'reconnect'));
    const gone: number[] = [];
    const start = performance.now();
    const reasons = clients.map(async (socket) => {
      const reason = await heard(socket, 'disconnect');
      gone.push(performance.now() - start);
      return reason;
    });
    const drained = await live.drain({ budgetMs: 3_000, reconnectOverMs: 1_000 });
    expect(drained).toMatchObject({ connections: 10, cut: 0 });
    expect((await Promise.all(told)).map(({ afterMs }) => afterMs).toSorted((a, b) => a - b)).toEqual([
      0, 100, 200, 300, 400, 500, 600, 700, 800, 900,
    ]);
    // At these Socket.IO's client tries again by itself.
    expect(new Set(await Promise.all(reasons))).toEqual(new Set(['transport close']));
    expect((gone.at(-1) ?? 0) - (gone[0] ?? 0)).toBeGreaterThan(500);
    expect(live.report()).toMatchObject({ sockets: 0, connections: 0, draining: true });
  });

  it('lets nobody in, with an answer that says so', async () => {
    const { url, live } = await open({ anonymous: true });
    const polling = await enter(url, { transports: ['polling'] });
    const draining = live.drain({ budgetMs: 2_000, reconnectOverMs: 500 });
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { type: 'draining' } });
    await heard(clientOf(url), 'connect_error');
    await draining;
    await eventually(() => !polling.connected);
    // The app is served on: to stop that is up to the server.
    expect(await (await fetch(url)).text()).toBe('the app');
  });

  it('does not let in who came before it began and signed in after', async () => {
    let letIn: (() => void) | undefined;
    const { url, live } = await open({
      authenticate: () =>
        new Promise<{ subject: string }>((resolve) => {
          letIn = () => resolve({ subject: 'ada' });
        }),
    });
    const socket = clientOf(url);
    const gone = Promise.race([heard(socket, 'disconnect'), heard(socket, 'connect_error')]);
    await eventually(() => letIn !== undefined);
    const drained = live.drain({ budgetMs: 1_000, reconnectOverMs: 300 });
    letIn?.();
    await gone;
    await drained;
    expect(live.report()).toMatchObject({ sockets: 0, connections: 0 });
  });

  it('sends on who has connected and says only now what for: the client tries again by itself', async () => {
    const { url, live } = await open({ anonymous: true });
    // They are sent away first.
    await Promise.all(Array.from({ length: 3 }, async () => enter(url)));
    const manager = new Manager(url, { transports: ['websocket'], reconnectionDelay: 10 });
    onTestFinished(() => manager._close());
    await new Promise((resolve) => manager.once('open', () => resolve(undefined)));
    const drained = live.drain({ budgetMs: 2_000, reconnectOverMs: 1_000 });
    const socket = manager.socket('/');
    const again = new Promise((resolve) => manager.once('reconnect_attempt', () => resolve('tries again')));
    const refused = heard(socket, 'connect_error').then(() => 'is refused');
    expect(await Promise.race([again, refused])).toBe('tries again');
    expect(socket.active).toBe(true);
    await drained;
    expect(live.report().refused).toMatchObject({ draining: expect.any(Number) as number });
  });

  it('takes no longer than its budget, whoever does not want to go', async () => {
    const { url, live } = await open({ anonymous: true });
    const stubborn = await rawSocket(url);
    // It neither reads nor says goodbye.
    stubborn.pause();
    await eventually(() => live.report().connections === 1);
    const drained = await live.drain({ budgetMs: 300, reconnectOverMs: 0 });
    expect(drained).toMatchObject({ connections: 1, cut: 1 });
    expect(drained.durationMs).toBeLessThan(1_000);
    expect(live.report().connections).toBe(0);
  });

  it('is over at once where nobody is there, and the same when asked twice', async () => {
    const { live } = await open({ anonymous: true });
    expect(await live.drain()).toMatchObject({ connections: 0, cut: 0 });
    expect(await live.drain()).toMatchObject({ connections: 0 });
    await expect(live.drain({ budgetMs: -1 })).rejects.toThrow('drain: "budgetMs" must be an integer');
  });
});

describe('closing', () => {
  it('ends all sockets and gives the server back', async () => {
    const { url, live, server } = await open({ authenticate: byName });
    const socket = await enter(url, { auth: { token: 'ada' } });
    const gone = heard(socket, 'disconnect');
    await Promise.all([live.close(), live.close()]);
    expect(await gone).toBe('transport close');
    expect(live.report().connections).toBe(0);
    expect(await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text()).toBe('the app');
    expect(server.listenerCount('upgrade')).toBe(0);
    expect(server.listenerCount('request')).toBe(1);
  });

  it('comes with the end of the server', async () => {
    const { url, live, server } = await open({ anonymous: true });
    const socket = await enter(url);
    server.close();
    socket.disconnect();
    server.closeAllConnections();
    await eventually(() => live.report().draining);
    await refusalOf(url).catch(() => undefined);
  });
});

describe('the HTTP server', () => {
  it('serves the app on every other path', async () => {
    const { url } = await open({ anonymous: true });
    expect(await (await fetch(`${url}/socket.iox`)).text()).toBe('the app');
    expect((await fetch(`${url}/socket.io/`)).status).toBe(400);
  });

  it('serves it where a WebSocket is asked for, too, so that no proxy takes the server for one that is gone', async () => {
    const { url } = await open({ anonymous: true });
    const headers = { connection: 'upgrade', upgrade: 'websocket' };
    expect(await send(url, { path: '/other', headers })).toMatchObject({ status: 200, text: 'the app' });
  });

  it("serves the browser's client, unless it is not to", async () => {
    const { url } = await open({ anonymous: true });
    const script = await fetch(`${url}/socket.io/socket.io.esm.min.js`);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await script.text()).toContain('Socket.IO v4.8');
    const etag = String(script.headers.get('etag'));
    const again = await fetch(`${url}/socket.io/socket.io.esm.min.js`, {
      headers: { 'if-none-match': etag },
    });
    expect(again.status).toBe(304);
    expect((await fetch(`${url}/socket.io/..%2Fpackage.json`)).status).toBe(400);

    const { url: without } = await open({ anonymous: true, serveClient: false });
    expect((await fetch(`${without}/socket.io/socket.io.js`)).status).toBe(400);
  });
});
