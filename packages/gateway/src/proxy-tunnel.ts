import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { upgradeResponse } from '@signalbox/context';
import type { Outside } from './proxy-answer-urls.js';
import type { ProxySettings } from './proxy-options.js';
import { writeHead } from './proxy-response-head.js';

/** A connection that Node has taken from its parser, for the client asks for another protocol. */
export interface ClientConnection {
  socket: Duplex;
  /** What the client has sent of the new protocol already. */
  head: Buffer;
  /** Open tunnels, to be closed with the proxy. */
  tunnels: Set<Duplex>;
}

const connections = new WeakMap<IncomingMessage, ClientConnection>();

/** The connection of a request to upgrade; `undefined` for every other request. */
export function connectionOf(req: IncomingMessage): ClientConnection | undefined {
  return connections.get(req);
}

/**
 * A response to a request that came by the server's `upgrade` event, which may become a tunnel.
 *
 * @returns `undefined` where the connection owes the answer to a request before it: it is closed then
 */
export function responseOn(req: IncomingMessage, connection: ClientConnection): ServerResponse | undefined {
  const { socket, tunnels } = connection;
  const res = upgradeResponse(req, socket, () => tunnels.has(socket));
  if (res !== undefined) connections.set(req, connection);
  return res;
}

export interface Tunnel {
  req: IncomingMessage;
  res: ServerResponse;
  connection: ClientConnection;
  upstream: Duplex;
  settings: ProxySettings;
  outside: Outside;
  raw: readonly Buffer[];
}

/**
 * Answers 101, and from then on passes bytes both ways, each as fast as the other side takes them.
 *
 * @throws {UnusableHeadError} before anything is sent
 */
export function openTunnel({ req, res, connection, upstream, settings, outside, raw }: Tunnel): void {
  const { socket, head, tunnels } = connection;
  upstream.on('error', ignore);
  if (socket.destroyed || res.headersSent) {
    upstream.destroy();
    return;
  }
  writeHead(req, res, settings, outside, 101, '', raw);
  res.removeHeader('Content-Length');
  res.setHeader('Connection', 'Upgrade');
  res.setHeader('Upgrade', 'websocket');
  tunnels.add(socket);
  socket.on('close', () => {
    tunnels.delete(socket);
    upstream.destroy();
  });
  // Not before the head has left: a session that is saved first holds it back, and its loss makes it an error.
  res.on('finish', () => {
    if (res.statusCode === 101) {
      if (head.length > 0) upstream.write(head);
      join(socket, upstream);
      return;
    }
    tunnels.delete(socket);
    upstream.destroy();
    closeSoon(socket.resume());
  });
  res.end();
}

function join(socket: Duplex, upstream: Duplex): void {
  for (const end of [socket, upstream]) {
    if (!(end instanceof Socket)) continue;
    end.setTimeout(0);
    end.setNoDelay(true);
    // The one that is gone without a word is found out.
    end.setKeepAlive(true, 60_000);
  }
  // Who has sent all has left: half of a WebSocket is of no use, and could stay for ever.
  socket.pipe(upstream, { end: false }).on('unpipe', () => closeSoon(upstream));
  upstream.pipe(socket, { end: false }).on('unpipe', () => closeSoon(socket));
  if (upstream.destroyed) socket.destroy();
  else upstream.on('close', () => socket.destroy());
}

/** Once what was written is sent. */
function closeSoon(end: Duplex): void {
  if (end instanceof Socket) end.destroySoon();
  else end.end();
}

/** Nobody waits for what it brings any more. */
export function drop(connection: Duplex): void {
  connection.on('error', ignore).destroy();
}

function ignore(): void {
  // What breaks is closed, and that is all there is to do.
}
