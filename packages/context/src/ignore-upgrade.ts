import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { upgradeResponse } from './upgrade-response.js';

/** Whether it offers what nobody takes up here: another protocol than WebSocket. */
export function offersAnother({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() !== 'websocket';
}

/**
 * Hands a request back to the server without its offer of another protocol, so that it is read and served as Node does
 * where nobody listens for `upgrade`: with its body, and with what follows on the connection.
 */
export function ignoreUpgrade(server: Server, req: IncomingMessage, connection: Duplex, head: Buffer): void {
  if (owesAnswer(req, connection)) {
    connection.destroy();
    return;
  }
  if (mayLackFields(server, req)) {
    // RFC 6585 section 5. Not without an answer: a proxy would take the server for one that is gone.
    upgradeResponse(req, connection)?.writeHead(431, { 'Content-Length': 0 }).end();
    return;
  }
  const { method = '', url = '', httpVersion, rawHeaders } = req;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${rawHeaders[index + 1] ?? ''}\r\n`;
  }
  connection.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in connection ? 'secureConnection' : 'connection', connection);
}

/** As many header fields as Node keeps where `maxHeadersCount` says nothing. */
const MAX_FIELDS = 1_000;

/** Node drops those beyond a number, and one that is gone may have told where the body ends. */
function mayLackFields({ maxHeadersCount }: Server, { rawHeaders }: IncomingMessage): boolean {
  const max = maxHeadersCount ?? MAX_FIELDS;
  return max > 0 && rawHeaders.length >= 2 * max;
}

/** To a request before this one, which Node no longer sends in its turn. */
function owesAnswer(req: IncomingMessage, connection: Duplex): boolean {
  // An upgrade comes on a connection of the server's: a socket, of TCP or of TLS.
  const socket = connection as Socket;
  const res = new ServerResponse(req);
  try {
    res.assignSocket(socket);
    res.detachSocket(socket);
    return false;
  } catch {
    return true;
  }
}
