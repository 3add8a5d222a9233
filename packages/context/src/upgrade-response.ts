import { ServerResponse, type IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A response to a request that came by the server's `upgrade` event, so that middlewares and error handlers
 * treat it as any other. It is the last one on its connection, which ends with it.
 *
 * @param isTaken whether the connection became something else, such as a tunnel, and does not end with it
 * @returns `undefined` where the connection owes the answer to a request before it: it is closed then
 */
export function upgradeResponse(
  req: IncomingMessage,
  connection: Duplex,
  isTaken: () => boolean = () => false,
): ServerResponse | undefined {
  // An upgrade comes on a connection of the server's: a socket, of TCP or of TLS.
  const socket = connection as Socket;
  const res = new ServerResponse(req);
  socket.on('error', ignore);
  try {
    res.assignSocket(socket);
  } catch {
    // Node hands it over whatever was sent before, and takes no second answer on one connection.
    socket.destroy();
    return undefined;
  }
  // Node no longer looks after it. Who has sent all has left, and waits for no answer.
  socket.on('end', () => void (isTaken() || closeSoon(socket)));
  // Nor does it tell the response that there is room again.
  const goOn = (): unknown => res.emit('drain');
  socket.on('drain', goOn);
  res.shouldKeepAlive = false;
  res.on('finish', () => {
    socket.off('drain', goOn);
    res.detachSocket(socket);
    // Not ended alone: nobody listens any more, and a client that does not close would keep it open for ever.
    if (!isTaken()) closeSoon(socket.resume());
    process.nextTick(() => res.emit('close'));
  });
  return res;
}

/** Once what was written is sent. */
function closeSoon(connection: Duplex): void {
  if (connection instanceof Socket) connection.destroySoon();
  else connection.end();
}

function ignore(): void {
  // What breaks is closed, and its response hears of that.
}
