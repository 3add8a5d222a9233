import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { cache, type Cache, type CacheOptions } from '@signalbox/cache';
import { errorHandler } from '@signalbox/errors';
import { proxy, type ProxyOptions } from '@signalbox/gateway';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { onTestFinished } from 'vitest';
import { send, type Answer } from '../support/send.js';

/** Answers each request by hand; `count` is the number of the request, from 1. */
type Answering = (socket: Socket, request: string, count: number) => void;

export interface Origin {
  readonly url: string;
  /** The header sections that came. */
  readonly requests: string[];
}

export async function originOf(answering: Answering): Promise<Origin> {
  const requests: string[] = [];
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined).setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        requests.push(text.slice(0, end));
        text = text.slice(end + 4);
        answering(socket, requests.at(-1) ?? '', requests.length);
      }
    });
    onTestFinished(() => void socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

interface Edge {
  readonly url: string;
  readonly route: Cache;
}

/** The cache in front of a proxy, as a server of its own. */
export async function edgeOf(
  origin: Origin,
  cacheOptions: CacheOptions = {},
  proxyOptions: Partial<ProxyOptions> = {},
): Promise<Edge> {
  const route = cache(cacheOptions);
  const forward = proxy({ to: origin.url, retries: 0, breaker: false, ejection: false, ...proxyOptions });
  onTestFinished(() => {
    route.close();
    void forward.close();
  });
  const silent: RequestHandler = (_req, res, next) => {
    // As a request logger does that reports errors itself: the error handler then prints none.
    Object.assign(res, { err: undefined });
    next();
  };
  const url = await listen(express().use(silent, route, forward, errorHandler()));
  return { url, route };
}

export const HEAD = 'HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60, stale-if-error=600\r\n';

export function whole(body: string, more = ''): string {
  return `${HEAD}${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** What comes of a request: its answer, or that the connection broke. */
export async function outcomeOf(url: string, path = '/'): Promise<Answer | 'cut'> {
  return send(url, { path }).catch(() => 'cut' as const);
}
