import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { onTestFinished } from 'vitest';
import { proxy, type Proxy, type ProxyOptions } from '@signalbox/gateway';

/** A proxy that is closed when the test ends. */
export function testProxy(options: ProxyOptions): Proxy {
  const made = proxy(options);
  // Not awaited: a test may leave a request that hangs.
  onTestFinished(() => void made.close());
  return made;
}

/** An app that is nothing but a proxy, and its URL. */
export async function proxied(
  options: ProxyOptions,
  configure: (app: Express) => void = () => undefined,
  mount = '/',
): Promise<string> {
  const app = express().disable('x-powered-by');
  // As a request logger does that reports errors itself: the error handler then prints none.
  app.use((_req, res, next) => {
    Object.assign(res, { err: undefined });
    next();
  });
  configure(app);
  app.use(mount, testProxy(options));
  app.use(errorHandler());
  return listen(app);
}

/** A connection to talk whatever one likes over. */
export async function rawConnection(url: string): Promise<Socket & { text: () => string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => void (text += chunk.toString('latin1'))).on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return Object.assign(socket, { text: () => text });
}

/** Sends bytes as they are, and gives all that comes until the other side closes. */
export async function rawExchange(url: string, bytes: string): Promise<string> {
  const socket = await rawConnection(url);
  const closed = once(socket, 'close');
  socket.write(bytes, 'latin1');
  await closed;
  return socket.text();
}

/** What the error handler made of it. */
export async function errorType(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { type: string } };
  return error.type;
}
