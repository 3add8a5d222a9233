import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Lets a client of HTTP/1.0 see that an answer was cut off. What has no `Content-Length` ends there with the connection
 * (RFC 9112 section 6.3), so that half an answer looks whole: nginx, which speaks 1.0 to its upstreams by default, passes
 * it on as complete, and keeps it. Whoever destroys the connection under an answer that has begun resets it instead.
 */
export function showCut(socket: Socket, res: ServerResponse): void {
  // Unix sockets know no reset; over TLS what is missing is the goodbye.
  if (socket instanceof TLSSocket || socket.remotePort === undefined) return;
  const original = (error: Error | undefined): Socket => {
    Reflect.deleteProperty(socket, 'destroy');
    return socket.destroy(error);
  };

  socket.destroy = function destroyOrReset(error) {
    const isCut = res.headersSent && !res.writableFinished;
    if (!isCut || socket.destroyed) return original(error);
    // It takes no error, and calls `destroy`.
    socket.destroy = () => original(error);
    return socket.resetAndDestroy();
  };
}
