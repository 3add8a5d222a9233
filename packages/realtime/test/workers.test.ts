import { Agent, request, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { relayBetweenWorkers, type RealtimeReport } from '../src/index.js';
import { type Node, startWorkers } from './nodes.js';
import { ask, byName, clientOf, enter, heard, open, type Options, rawSocket } from './stage.js';

const as = (token: string, options: Options = {}): Options => ({ auth: { token }, ...options });

/** Sockets of different workers: of some that connect, the first of each. */
async function oneOfEach(url: string, count: number, options: Options = {}) {
  const found = new Map<number, Awaited<ReturnType<typeof enter>>>();
  await eventually(async () => {
    const socket = await enter(url, as('ada', options));
    const pid = await ask<number>(socket, 'where');
    if (found.has(pid)) socket.disconnect();
    else found.set(pid, socket);
    return found.size >= count;
  });
  return [...found.values()];
}

/** One connection, and so one worker. */
interface Line {
  readonly pid: number;
  ask(query: string, options?: RequestOptions, body?: string): Promise<string>;
}

/** A connection to a worker that will do. */
async function lineTo(url: string, isMeant: (pid: number) => boolean = () => true): Promise<Line> {
  for (;;) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { pid } = JSON.parse(await send(`${url}/report`, { agent })) as { pid: number };
    if (!isMeant(pid)) {
      agent.destroy();
      continue;
    }
    onTestFinished(() => agent.destroy());
    return {
      pid,
      ask: (query, options = {}, body = '') =>
        send(`${url}/socket.io/?EIO=4&transport=polling${query}`, { ...options, agent }, body),
    };
  }
}

function send(url: string, options: RequestOptions, body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (answer) => resolve(text(answer)));
    sent.on('error', reject).end(body);
  });
}

/** A new session of long-polling, of the worker at the other end. */
async function sessionOf(line: Line): Promise<string> {
  const { sid } = JSON.parse((await line.ask('')).slice(1)) as { sid: string };
  return sid;
}

describe('workers that share a port, without Redis', () => {
  let workers: Node;

  it('share rooms, find each other’s sockets, and poll without a sticky balancer', async () => {
    workers = await startWorkers(3);
    const sockets = await oneOfEach(workers.url, 3);
    await Promise.all(sockets.map((socket) => ask(socket, 'join', { room: 'news' })));
    const told = sockets.map((socket) => heard(socket, 'hello'));
    await workers.ask('/emit?room=news&event=hello');
    await Promise.all(told);
    await eventually(async () => {
      const found = await workers.ask<{ nodes: number; partial: boolean; sockets: unknown[] }>(
        '/sockets?room=news',
      );
      return found.nodes === 3 && !found.partial && found.sockets.length === 3;
    });
    expect(await workers.ask<RealtimeReport>('/report')).toMatchObject({
      adapter: 'cluster',
      degraded: false,
    });

    // Each request of a poll is a connection of its own here, and comes to whichever worker is next.
    const polling = await Promise.all(
      Array.from({ length: 10 }, async () => enter(workers.url, as('ada', { transports: ['polling'] }))),
    );
    for (const socket of polling) {
      const pid = await ask(socket, 'where');
      for (let index = 0; index < 5; index += 1) expect(await ask(socket, 'where')).toBe(pid);
    }
    const upgraded = await enter(workers.url, as('ada', { transports: ['polling', 'websocket'] }));
    const pid = await ask(upgraded, 'where');
    await eventually(() => upgraded.io.engine.transport.name === 'websocket');
    expect(await ask(upgraded, 'where')).toBe(pid);
    expect(workers.program.stderr()).toBe('');
  });

  it('reach each other’s sessions also after a client has given up a poll', async () => {
    workers = await startWorkers(2);
    const here = await lineTo(workers.url);
    const other = await lineTo(workers.url, (pid) => pid !== here.pid);
    const again = await lineTo(workers.url, (pid) => pid === here.pid);
    const [first, second] = [await sessionOf(other), await sessionOf(other)];

    const givenUp = here.ask(`&sid=${first}`, { signal: AbortSignal.timeout(200) });
    await expect(givenUp).rejects.toThrow('aborted');
    const isKnown = async (): Promise<boolean> =>
      (await other.ask(`&sid=${first}`, { method: 'POST' }, '6')) === 'ok';
    await eventually(async () => !(await isKnown()));
    expect(await again.ask(`&sid=${second}`, { method: 'POST' }, '40{"token":"ada"}')).toBe('ok');
  });

  it('leave require as it was after one of them was killed: it follows links', async () => {
    workers = await startWorkers(2);
    const sockets = await oneOfEach(workers.url, 2, { transports: ['polling'], reconnection: false });
    // Requests over one connection come to one worker; the session of the other is handed over by a socket.
    const { pid: here } = await workers.ask<{ pid: number }>('/report');
    const pids = await Promise.all(sockets.map((socket) => ask<number>(socket, 'where')));
    const [elsewhere = 0] = pids.filter((pid) => pid !== here);
    const socket = sockets[pids.indexOf(elsewhere)];
    const poll = `/socket.io/?EIO=4&transport=polling&sid=${socket?.io.engine.id}`;
    expect(await workers.ask('/required')).toBe('/real/module.cjs');

    process.kill(elsewhere, 'SIGKILL');
    await eventually(async () =>
      (await (await fetch(workers.url + poll)).text()).includes('session_elsewhere'),
    );
    expect(await workers.ask('/report')).toMatchObject({ pid: here });
    expect(await workers.ask('/required')).toBe('/real/module.cjs');
  });

  it('say so where the primary passes nothing on', async () => {
    workers = await startWorkers(2, { RELAY: 'off' });
    await workers.program.waitFor(
      /the primary does not pass events between workers: call relayBetweenWorkers/,
    );
    expect(await workers.ask<RealtimeReport>('/report')).toMatchObject({
      adapter: 'cluster',
      degraded: true,
    });
  });

  it('is nothing to say of where there is one', async () => {
    workers = await startWorkers(1, { RELAY: 'off', SIGNALBOX_WORKERS: '1' });
    expect(await workers.ask<RealtimeReport>('/report')).toMatchObject({
      adapter: 'memory',
      degraded: false,
    });
  });

  it('are told about in the primary only', () => {
    expect(() => relayBetweenWorkers()).not.toThrow();
    expect(() => relayBetweenWorkers()).not.toThrow();
  });
});

describe('long-polling', () => {
  it('is refused with the reason where it is not to be', async () => {
    const { url } = await open({ authenticate: byName, transports: 'websocket' });
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      message: expect.stringContaining('connect with { transports: ["websocket"] }') as string,
      error: { code: 400, type: 'websocket_only' },
    });
    await heard(clientOf(url, as('ada', { transports: ['polling'] })), 'connect_error');
    await enter(url, as('ada'));
  });

  it('that came to another machine than its session is refused with the reason', async () => {
    const { url } = await open({ anonymous: true });
    const foreign = 'Abcdefgh'.padEnd(28, 'x');
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${foreign}`, { method });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        message: expect.stringContaining('make the load balancer sticky') as string,
        error: { type: 'session_elsewhere' },
      });
    }
    await expect(rawSocket(url, `EIO=4&transport=websocket&sid=${foreign}`)).rejects.toThrow('400');
    // What is no session of anybody's is what Engine.IO says.
    const unknown = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=abc`);
    expect(await unknown.json()).toEqual({ code: 1, message: 'Session ID unknown' });
  });
});
