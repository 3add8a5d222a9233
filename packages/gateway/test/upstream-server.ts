import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import { onTestFinished } from 'vitest';
import { upstreams, type Upstream, type UpstreamOptions } from '@signalbox/gateway';

export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface UpstreamServer {
  url: string;
  /** Every request that came, in order. */
  seen: SeenRequest[];
}

/** A real server that stands in for a service behind the gateway; gone when the test ends. */
export async function upstreamServer(
  handle: (req: IncomingMessage, res: ServerResponse, count: number) => void,
): Promise<UpstreamServer> {
  const seen: SeenRequest[] = [];
  const url = await listen(async (req, res) => {
    const chunks: Buffer[] = [];
    res.on('error', () => undefined);
    try {
      for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const { method = '', url: target = '', headers } = req;
    seen.push({ method, url: target, headers, body: Buffer.concat(chunks).toString() });
    handle(req, res, seen.length);
  });
  return { url, seen };
}

/** Answers `{ "from": name }`. */
export async function goodServer(name = 'good'): Promise<UpstreamServer> {
  return upstreamServer((_req, res) => sendJson(res, { from: name }));
}

/** Answers at once, and keeps the process busy for so long before anybody can read that. */
export async function busyServer(busyMs: number): Promise<UpstreamServer> {
  return upstreamServer((_req, res) => {
    sendJson(res, { from: 'busy' });
    setImmediate(() => {
      const endsAt = performance.now() + busyMs;
      while (performance.now() < endsAt);
    });
  });
}

/** Takes requests and never answers. */
export async function hangingServer(): Promise<UpstreamServer> {
  return upstreamServer(() => undefined);
}

export async function failingServer(
  status: number,
  headers: Record<string, string> = {},
): Promise<UpstreamServer> {
  return upstreamServer((_req, res) => res.writeHead(status, headers).end('no'));
}

export function sendJson(res: ServerResponse, value: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** A TCP server, for what is no HTTP. */
export async function rawServer(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends RST. Node's `resetAndDestroy` says goodbye before, as `end` does. */
export function reset(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true }).destroy();
}

/** A URL where nobody listens: the port was free a moment ago. */
export async function closedPort(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** A server in a process of its own, to be stopped and killed. It takes requests and answers after `delayMs`. */
export async function childServer(
  delayMs: number,
): Promise<{ url: string; kill(signal: NodeJS.Signals): void; nextRequest(): Promise<void> }> {
  const program = `
    const server = require('node:http').createServer((req, res) => {
      process.send('request');
      setTimeout(() => res.end('{"from":"child"}'), ${delayMs});
    });
    server.listen(0, '127.0.0.1', () => process.send(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    kill: (signal) => void child.kill(signal),
    async nextRequest() {
      await once(child, 'message');
    },
  };
}

/** An upstream called `service`, closed when the test ends. */
export function upstream(options: UpstreamOptions): Upstream {
  const { service, close } = upstreams({ service: options });
  // Not awaited: a test may leave a request that hangs until its deadline.
  onTestFinished(() => void close());
  return service;
}

/** Waits for a condition, for at most ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 10_000) throw new Error(`never came true: ${String(condition)}`);
    await sleep(10);
  }
}

/** Asks again and again until the answer is yes, for at most ten seconds. */
export async function eventually(ask: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + 10_000;
  while (!(await ask())) {
    if (performance.now() > endsAt) throw new Error(`never came true: ${String(ask)}`);
    await sleep(10);
  }
}

/** What a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('did not reject');
}
