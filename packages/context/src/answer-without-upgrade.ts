import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What has a body cannot be served: Node has read none of it. */
export function mayDoWithout({ headers }: IncomingMessage): boolean {
  const { upgrade, 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  return upgrade?.toLowerCase() !== 'websocket' && length === '0' && coding === undefined;
}

/**
 * Serves a request as if it had not offered another protocol, as Node does where nobody listens for `upgrade`. It is
 * the last one on its connection, for Node reads no further ones.
 */
export function answerWithoutUpgrade(server: Server, req: IncomingMessage, connection: Duplex): void {
  // It came on a connection of the server's: a socket, of TCP or of TLS.
  const socket = connection as Socket;
  const res = new ServerResponse(req);
  socket.on('error', ignore);
  try {
    res.assignSocket(socket);
  } catch {
    // It owes the answer to a request before this one.
    socket.destroy();
    return;
  }
  res.shouldKeepAlive = false;
  const goOn = (): unknown => res.emit('drain');
  socket.on('drain', goOn);
  socket.on('end', () => socket.destroySoon()).resume();
  res.on('finish', () => {
    socket.off('drain', goOn);
    res.detachSocket(socket);
    socket.destroySoon();
    process.nextTick(() => res.emit('close'));
  });
  server.emit('request', req, res);
}

function ignore(): void {
  // What breaks is closed, and its response hears of that.
}
