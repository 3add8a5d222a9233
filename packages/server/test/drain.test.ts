import { once } from 'node:events';
import { connect } from 'node:tls';
import { type DrainFinished, signals } from '@signalbox/signals';
import express from 'express';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../../../test/support/self-signed.js';
import { eventually, pause, rawConnection, serveHere } from './support.js';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** An app whose answers wait until the test lets them go. */
function heldApp() {
  const app = express();
  const held: (() => void)[] = [];
  app.get('/', (_req, res) => void res.send('hello'));
  app.get('/held', (_req, res) => void held.push(() => res.send('held')));
  app.get('/begun', (_req, res) => {
    res.write('begun ');
    held.push(() => res.end('and ended'));
  });
  app.get('/events', (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: 1\n\n');
  });
  return { app, held };
}

describe('closing a server', () => {
  it('is over at once where nothing is under way', async () => {
    const running = await serveHere(heldApp().app);
    const report = await running.close();

    expect(report).toMatchObject({
      reason: 'close',
      clean: true,
      requestsInFlight: 0,
      abandonedRequests: 0,
      endedStreams: 0,
      endedSockets: 0,
      resources: [],
    });
    expect(report.phases.map(({ phase }) => phase)).toEqual([
      'readiness',
      'http',
      'sockets',
      'jobs',
      'pools',
      'logs',
    ]);
    await expect(fetch(running.url)).rejects.toThrow('fetch failed');
  });

  it('gives the same promise however often it is called', async () => {
    let closed = 0;
    const running = await serveHere(heldApp().app, {
      resources: [{ name: 'once', close: () => (closed += 1) }],
    });
    const first = running.close();
    expect(running.close({ reason: 'again' })).toBe(first);
    expect(running.state).toBe('draining');
    await first;
    expect(running.close()).toBe(first);
    expect(closed).toBe(1);
  });

  it('has the default budgets, 30 s in all, and readiness first', async () => {
    const { phases } = await (await serveHere(heldApp().app)).close();
    expect(phases.map(({ budgetMs }) => budgetMs)).toEqual([0, 16_000, 5_000, 5_000, 3_000, 1_000]);
  });

  it('goes on taking requests while the load balancer has not looked yet', async () => {
    const { app } = heldApp();
    const running = await serveHere(app, { drain: { readinessDelayMs: 300, lingerMs: 0 } });
    const states: string[] = [];
    onTestFinished(
      signals.serverState.subscribe(({ server, state }) => {
        if (server === running.server) states.push(state);
      }),
    );
    const closing = running.close();
    expect(states).toEqual(['draining']);

    const response = await fetch(running.url);
    expect(response.status).toBe(200);
    expect(response.headers.get('connection')).toBe('keep-alive');
    await response.text();
    const report = await closing;
    expect(report.phases[0]?.durationMs).toBeGreaterThanOrEqual(290);
  });

  it('answers requests under way, slow and streaming ones, with Connection: close', async () => {
    const { app, held } = heldApp();
    const running = await serveHere(app, { drain: { lingerMs: 0 } });
    const slow = fetch(`${running.url}/held`);
    const streaming = await fetch(`${running.url}/begun`);
    await eventually(() => held.length === 2);

    const closing = running.close();
    await eventually(() => !running.server.listening);
    for (const answer of held) answer();

    const response = await slow;
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.text()).toBe('held');
    expect(await streaming.text()).toBe('begun and ended');
    expect(await closing).toMatchObject({ clean: true, requestsInFlight: 2, abandonedRequests: 0 });
  });

  it('answers what arrives on an open connection after it stopped listening', async () => {
    const running = await serveHere(heldApp().app, { drain: { lingerMs: 400 } });
    const connection = await rawConnection(running.url);
    connection.socket.write(GET);
    await eventually(() => connection.received().includes('hello'));

    const closing = running.close();
    await eventually(() => !running.server.listening);
    // Well into the linger.
    await pause(100);
    connection.socket.write(GET);
    const { text } = await connection.ended();
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(text.match(/Connection: (keep-alive|close)/g)).toEqual([
      'Connection: keep-alive',
      'Connection: close',
    ]);
    expect((await closing).clean).toBe(true);
  });

  it('closes what stays idle when the linger is over, unused connections too', async () => {
    const running = await serveHere(heldApp().app, { drain: { lingerMs: 200 } });
    const used = await rawConnection(running.url);
    used.socket.write(GET);
    await eventually(() => used.received().includes('hello'));
    const unused = await rawConnection(running.url);

    const start = performance.now();
    const [report] = await Promise.all([running.close(), used.ended(), unused.ended()]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(195);
    expect(report).toMatchObject({ clean: true, endedSockets: 0 });
    expect(report.phases[1]?.durationMs).toBeLessThan(4_000);
  });

  it('closes unused and idle connections over TLS as well', async () => {
    const running = await serveHere(heldApp().app, { tls: selfSigned(), drain: { lingerMs: 100 } });
    const raw = await rawConnection(running.url);
    const unused = connect({ port: Number(new URL(running.url).port), rejectUnauthorized: false });
    await once(unused, 'secureConnect');
    const used = connect({ port: Number(new URL(running.url).port), rejectUnauthorized: false });
    used.write(GET);
    await once(used, 'data');

    const ends = [once(unused.resume(), 'close'), once(used.resume(), 'close'), raw.ended()];
    expect(await running.close()).toMatchObject({ clean: true, endedSockets: 0 });
    await Promise.all(ends);
  });

  it('answers every one of several requests sent ahead', async () => {
    const { app, held } = heldApp();
    const running = await serveHere(app, { drain: { lingerMs: 0 } });
    const connection = await rawConnection(running.url);
    connection.socket.write(GET.replace('/', '/held').repeat(3));
    await eventually(() => held.length === 3);

    const closing = running.close();
    await eventually(() => !running.server.listening);
    connection.socket.write(GET.replace('/', '/held'));
    await eventually(() => held.length === 4);
    for (const answer of held) answer();

    const { text } = await connection.ended();
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(4);
    expect(text.match(/Connection: close/g)).toHaveLength(1);
    expect((await closing).clean).toBe(true);
  });

  it('gives up on requests that are unanswered when the budget is spent, and says so', async () => {
    const { app, held } = heldApp();
    const warnings: string[] = [];
    const finished: DrainFinished[] = [];
    onTestFinished(signals.drainFinished.subscribe((event) => finished.push(event)));
    const running = await serveHere(app, {
      drain: { httpMs: 200, lingerMs: 0 },
      log: { info() {}, warn: (_fields, message) => warnings.push(message), error() {} },
    });
    const lost = fetch(`${running.url}/held`);
    const answered = expect(lost).rejects.toThrow('fetch failed');
    await eventually(() => held.length === 1);

    const report = await running.close();
    await answered;
    expect(report).toMatchObject({ clean: false, requestsInFlight: 1, abandonedRequests: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^drained in \d+ ms, and had to abandon 1 unanswered request$/);
    expect(finished.filter(({ server }) => server === running.server)).toMatchObject([
      { abandonedRequests: 1, failedResources: [], durationMs: report.durationMs },
    ]);
  });

  it('ends event streams within the budget for sockets, without calling it a failure', async () => {
    const running = await serveHere(heldApp().app, { drain: { lingerMs: 0, socketsMs: 200 } });
    const stream = await fetch(`${running.url}/events`);
    const other = await fetch(`${running.url}/events`, { headers: { accept: 'text/event-stream' } });
    const ends = [
      expect(stream.text()).rejects.toThrow('terminated'),
      expect(other.text()).rejects.toThrow('terminated'),
    ];

    const report = await running.close();
    await Promise.all(ends);
    expect(report).toMatchObject({
      clean: true,
      requestsInFlight: 0,
      abandonedRequests: 0,
      endedStreams: 2,
      endedSockets: 0,
    });
  });

  it('tells event streams, so that they may end by themselves', async () => {
    const app = express();
    app.get('/events', (_req, res) => {
      res.type('text/event-stream').write('data: 1\n\n');
      running.draining.addEventListener('abort', () => res.end('event: bye\n\n'));
    });
    const running = await serveHere(app, { drain: { lingerMs: 0 } });
    const stream = await fetch(`${running.url}/events`);
    const [text, report] = await Promise.all([stream.text(), running.close()]);
    expect(text).toBe('data: 1\n\nevent: bye\n\n');
    expect(report).toMatchObject({ clean: true, endedStreams: 0 });
  });

  it('ends an upgraded socket, for which server.close() alone would wait for ever', async () => {
    const running = await serveHere(heldApp().app, {
      drain: { lingerMs: 0, socketsMs: 200 },
      attach(server) {
        server.on('upgrade', (_req, socket) => {
          socket.on('error', () => undefined).write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        });
      },
    });
    const upgraded = await rawConnection(running.url);
    upgraded.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n');
    await eventually(() => upgraded.received().includes('101'));

    const report = await running.close();
    await upgraded.ended();
    expect(report).toMatchObject({ clean: true, endedSockets: 1, endedStreams: 0 });
  });

  it.each(['polling', 'websocket'] as const)(
    'lets Socket.IO take leave of its clients over %s',
    async (transport) => {
      let sockets: SocketServer | undefined;
      const running = await serveHere(heldApp().app, {
        drain: { lingerMs: 0 },
        attach(server) {
          sockets = new SocketServer(server);
        },
        resources: [{ name: 'socket.io', phase: 'sockets', close: () => sockets?.close() }],
      });
      const client = io(running.url, { transports: [transport], forceNew: true, reconnection: false });
      onTestFinished(() => void client.close());
      await new Promise((resolve) => {
        client.once('connect', () => resolve(undefined));
      });
      const goodbye = new Promise((resolve) => {
        client.once('disconnect', resolve);
      });

      const report = await running.close();
      expect(report).toMatchObject({ clean: true, abandonedRequests: 0 });
      expect(report.resources).toMatchObject([{ name: 'socket.io', phase: 'sockets', outcome: 'closed' }]);
      expect(report.phases[1]?.durationMs).toBeLessThan(4_000);
      expect(['io server disconnect', 'transport close']).toContain(await goodbye);
    },
  );

  it('drains when somebody else closes the server', async () => {
    let closed = 0;
    const running = await serveHere(heldApp().app, {
      resources: [{ name: 'pool', close: () => (closed += 1) }],
    });
    running.server.close();
    await eventually(() => running.state === 'closed');
    expect(await running.close()).toMatchObject({ reason: 'server closed', clean: true });
    expect(closed).toBe(1);
  });

  it('shrinks all budgets alike where there is less time', async () => {
    const { app, held } = heldApp();
    const running = await serveHere(app);
    const lost = expect(fetch(`${running.url}/held`)).rejects.toThrow('fetch failed');
    await eventually(() => held.length === 1);
    const report = await running.close({ withinMs: 300, reason: 'hurry' });
    await lost;
    expect(report).toMatchObject({ reason: 'hurry', abandonedRequests: 1 });
    expect(report.phases.map(({ budgetMs }) => budgetMs)).toEqual([0, 160, 50, 50, 30, 10]);
  });

  it('refuses a time that is none', async () => {
    const running = await serveHere(heldApp().app);
    for (const withinMs of [0, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => running.close({ withinMs })).toThrow('close: "withinMs" must be an integer from 1');
    }
  });
});
