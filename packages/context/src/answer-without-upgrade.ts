import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { upgradeResponse } from './upgrade-response.js';

/** What has a body cannot be served: Node has read none of it. */
export function mayDoWithout({ headers }: IncomingMessage): boolean {
  const { upgrade, 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  return upgrade?.toLowerCase() !== 'websocket' && length === '0' && coding === undefined;
}

/** Serves a request as if it had not offered another protocol, as Node does where nobody listens for `upgrade`. */
export function answerWithoutUpgrade(server: Server, req: IncomingMessage, connection: Duplex): void {
  const res = upgradeResponse(req, connection);
  if (res === undefined) return;
  // Nobody reads it any more, and that its client leaves has to be noticed.
  connection.resume();
  server.emit('request', req, res);
}
