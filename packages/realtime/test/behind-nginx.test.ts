import { Agent } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { balancer, startNginx } from '../../../test/support/nginx.js';
import { startRedis } from '../../../test/support/redis.js';
import { startNode } from './nodes.js';
import { ask, enter, everything, heard, type Options } from './stage.js';

/** A visitor at an address of their own: ip_hash looks at the first three numbers. */
function visitorFrom(address: string, transports: string[]): Options {
  const agent = new Agent({ localAddress: address });
  // The client's types know a path or a boolean only in browsers.
  return { auth: { token: `visitor of ${address}` }, transports, agent: agent as unknown as string };
}

describe('two nodes behind nginx with ip_hash', () => {
  it('see the same room, whether by WebSocket or by long-polling; and one may go', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const env = { REDIS_URL: redis.url, STAGE_MS: '200' };
    const nodes = await Promise.all([startNode(env), startNode(env)]);
    const nginx = await startNginx(({ port }) =>
      balancer(
        nodes.map(({ url }) => url),
        port,
      ),
    );
    onTestFinished(() => nginx.stop());

    // Visitors until both nodes have one of each kind.
    const found = new Map<string, Awaited<ReturnType<typeof enter>>>();
    for (let index = 1; found.size < 4 && index < 60; index += 1) {
      for (const transports of [['polling'], ['polling', 'websocket']]) {
        const socket = await enter(nginx.url, visitorFrom(`127.${index}.7.1`, transports));
        const key = `${await ask<number>(socket, 'where')} ${transports.join()}`;
        if (found.has(key)) socket.disconnect();
        else found.set(key, socket);
      }
    }
    expect(found.size).toBe(4);
    const sockets = [...found.values()];
    await Promise.all(sockets.map((socket) => ask(socket, 'join', { room: 'news' })));
    const upgraded = sockets.filter(({ io }) => (io.opts.transports ?? []).length === 2);
    await eventually(() => upgraded.every(({ io }) => io.engine.transport.name === 'websocket'));
    for (const node of nodes) {
      const told = sockets.map((socket) => heard(socket, 'hello'));
      await node.ask('/emit?room=news&event=hello');
      expect(await Promise.all(told)).toEqual(sockets.map(() => ({ from: node.pid })));
    }
    // What one node says arrives in order.
    const received = sockets.map((socket) => everything(socket));
    for (let index = 0; index < 50; index += 1) await nodes[0]?.ask(`/emit?room=news&event=e${index}`);
    await eventually(() => received.every((events) => events.length === 50));
    for (const events of received) {
      expect(events.map(({ event }) => event)).toEqual(Array.from({ length: 50 }, (_, index) => `e${index}`));
    }

    // A search of somebody whose node is killed: nginx leads to the other one.
    const [victim] = nodes;
    const loser = await enter(nginx.url, {
      ...visitorFrom(addressOf(found, victim?.pid), ['websocket']),
      reconnection: true,
      reconnectionDelay: 100,
    });
    expect(await ask(loser, 'where')).toBe(victim?.pid);
    const events = everything(loser);
    const { id } = await ask<{ id: string }>(loser, 'search');
    await eventually(() => events.some(({ event }) => event === 'search_progress'));
    const back = heard(loser, 'connected');
    await victim?.program.kill();
    await back;
    const last = events.findLast(({ event }) => event.startsWith('search_'));
    await ask(loser, 'resume', { id, after: (last as { payload: { seq: number } }).payload.seq });
    await eventually(() => events.at(-1)?.event === 'search_complete');
    const numbers = events
      .filter(({ event }) => event.startsWith('search_'))
      .map(({ payload }) => payload as { seq: number });
    expect(numbers.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    const result = await (
      await fetch(`${nginx.url}/jobs?id=${id}&owner=${encodeURIComponent(String(ownerOf(loser)))}`)
    ).json();
    expect(result).toMatchObject({ state: 'complete', result: { pid: nodes[1]?.pid } });
  });
});

type Found = ReadonlyMap<string, Awaited<ReturnType<typeof enter>>>;

function ownerOf(socket: Awaited<ReturnType<typeof enter>>): unknown {
  return (socket.auth as { token: string }).token;
}

/** Of a visitor who came to this process. */
function addressOf(found: Found, pid: number | undefined): string {
  for (const [key, socket] of found) {
    if (key.startsWith(`${pid} `)) return String(ownerOf(socket)).replace('visitor of ', '');
  }
  throw new Error(`nobody came to ${pid}`);
}
