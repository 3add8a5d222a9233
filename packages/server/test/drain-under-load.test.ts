import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { eventually, serveHere } from './support.js';

describe('closing a server', () => {
  it.each([
    ['keep-alive connections', true],
    ['new connections', false],
  ])('loses no request under constant load over %s', { timeout: 30_000 }, async (_name, keepAlive) => {
    const app = express();
    app.get('/', (_req, res) => void setTimeout(() => res.send('x'.repeat(1_000)), Math.random() * 20));
    const running = await serveHere(app, { drain: { lingerMs: 300 } });
    const accepted = new Set<number | undefined>();
    running.server.on('connection', (socket: Socket) => accepted.add(socket.remotePort));
    const load = constantLoad(running.url, keepAlive);
    await eventually(() => load.answered > 100);

    const closing = running.close();
    const answeredBefore = load.answered;
    const report = await closing;
    await load.stop();
    // One that the system had not handed over yet is refused, whichever way; there the client may ask elsewhere.
    expect(load.lost.filter(({ port }) => port !== undefined && accepted.has(port))).toEqual([]);
    expect(load.answered).toBeGreaterThan(answeredBefore);
    expect(report).toMatchObject({ clean: true, abandonedRequests: 0 });
  });
});

interface Load {
  answered: number;
  readonly lost: { reason: string; port: number | undefined }[];
  stop(): Promise<unknown>;
}

/** Sixteen clients that ask again as soon as they are answered, until the server is no longer there. */
function constantLoad(url: string, keepAlive: boolean): Load {
  const stopped = new AbortController();
  let clients: Promise<void>[] = [];
  const load: Load = {
    answered: 0,
    lost: [],
    stop() {
      stopped.abort();
      return Promise.all(clients);
    },
  };
  clients = Array.from({ length: 16 }, async () => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    while (!stopped.signal.aborted && (await ask(url, agent, load)) !== 'ECONNREFUSED');
    agent.destroy();
  });
  return load;
}

async function ask(url: string, agent: Agent, load: Load): Promise<string> {
  const req = request(url, { agent });
  let port: number | undefined;
  req.on('socket', (socket: Socket) => {
    port = socket.localPort;
    socket.once('connect', () => (port = socket.localPort));
  });
  try {
    const [res] = await once(req.end(), 'response');
    for await (const _chunk of res);
    load.answered += 1;
    return 'answered';
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (reason !== 'ECONNREFUSED') load.lost.push({ reason, port });
    return reason;
  }
}
