import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { onceOver, requestContext } from '../src/index.js';

interface Followed {
  req: IncomingMessage;
  res: ServerResponse;
  /** What `this` was, each time that the listener was called. */
  calls: unknown[];
}

function follow(req: IncomingMessage, res: ServerResponse): Followed {
  const calls: unknown[] = [];
  onceOver(req, res, function noteCall() {
    calls.push(this);
  });
  return { req, res, calls };
}

async function connectTo(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** So many requests sent ahead on one connection, followed and not answered. */
async function pipelined(count: number): Promise<{ requests: Followed[]; client: Socket }> {
  const requests: Followed[] = [];
  const client = await connectTo(await listen((req, res) => void requests.push(follow(req, res))));
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
  await expect.poll(() => requests.length).toBe(count);
  return { requests, client };
}

/** Not `once`, which rejects where the client's data was cut off by the end. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

function callsOf(requests: readonly Followed[]): number[] {
  return requests.map(({ calls }) => calls.length);
}

describe('onceOver', () => {
  it('is no leak to Node, however many listen beside what the handler does with the response', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    onTestFinished(() => void process.off('warning', hear));
    const app = express();
    for (let each = 0; each < 15; each += 1) {
      app.use((req, res, next) => {
        onceOver(req, res, () => undefined);
        next();
      });
    }
    app.get('/', (_req, res) => void pipeline(Readable.from(['a file']), res, () => undefined));

    expect(await (await fetch(await listen(app))).text()).toBe('a file');
    expect(warnings).toEqual([]);
  });

  it('leaves a response without a bound on its listeners as it is', async () => {
    const url = await listen((req, res) => {
      res.setMaxListeners(0);
      onceOver(req, res, () => undefined);
      res.end(String(res.getMaxListeners()));
    });

    expect(await (await fetch(url)).text()).toBe('0');
  });

  it('calls the listener on the response when that is sent, and not before', async () => {
    const { requests, client } = await pipelined(1);
    const [{ res, calls }] = requests as [Followed];

    res.write('a part');
    await once(client, 'data');
    expect(calls).toEqual([]);

    res.end();
    await once(res, 'close');
    expect(calls).toHaveLength(1);
    expect(calls[0]).toBe(res);
    // The end of the connection does not count it again.
    client.destroy();
    await closed(res.req.socket);
    expect(calls).toHaveLength(1);
  });

  it('calls it when the client goes away', async () => {
    const { requests, client } = await pipelined(1);
    client.destroy();
    await expect.poll(() => callsOf(requests)).toEqual([1]);
  });

  it('calls it for pipelined requests whose connection breaks while they wait, each once', async () => {
    const { requests, client } = await pipelined(4);
    expect(callsOf(requests)).toEqual([0, 0, 0, 0]);

    client.destroy();
    await expect.poll(() => callsOf(requests)).toEqual([1, 1, 1, 1]);
    expect(requests.every(({ res, calls }) => calls[0] === res)).toBe(true);
  });

  it('calls it for pipelined requests when each has been answered, in their order', async () => {
    const { requests, client } = await pipelined(3);
    client.resume();
    const [first, second, third] = requests as [Followed, Followed, Followed];

    // Before it has the connection.
    third.res.end('third');
    first.res.end('first');
    await expect.poll(() => callsOf(requests)).toEqual([1, 0, 0]);
    second.res.end('second');
    await expect.poll(() => callsOf(requests)).toEqual([1, 1, 1]);

    client.destroy();
    await closed(first.req.socket);
    expect(callsOf(requests)).toEqual([1, 1, 1]);
  });

  it('adds no more listeners to the connection for a hundred requests than for two', async () => {
    const two = await pipelined(2);
    const hundred = await pipelined(100);
    const listeners = ({ requests }: { requests: Followed[] }): number | undefined =>
      requests[0]?.req.socket.listenerCount('close');
    expect(listeners(hundred)).toBe(listeners(two));
  });

  it('calls it at once where the response is sent already', async () => {
    const { requests } = await pipelined(1);
    const [{ req, res }] = requests as [Followed];
    res.end();
    await once(res, 'close');
    expect(follow(req, res).calls).toHaveLength(1);
  });

  it('calls it at once where the connection is gone already, also of a request that waited', async () => {
    const { requests, client } = await pipelined(2);
    const [first, second] = requests as [Followed, Followed];
    client.destroy();
    await closed(first.req.socket);
    expect(follow(first.req, first.res).calls).toHaveLength(1);
    expect(follow(second.req, second.res).calls).toHaveLength(1);
  });
});

describe('req.signal', () => {
  it('is aborted for a pipelined request whose connection breaks while it waits', async () => {
    const signals: AbortSignal[] = [];
    const app = express().use(requestContext(), (req) => void signals.push(req.signal));
    const client = await connectTo(await listen(app));
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2));
    await expect.poll(() => signals.length).toBe(2);

    client.destroy();
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(signals[1]?.reason).toMatchObject({ code: 'client_closed_request' });
  });
});
