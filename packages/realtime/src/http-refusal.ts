import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type HttpError, toErrorObject } from '@signalbox/errors';

/**
 * The body of a refusal: what Engine.IO itself says, `code` and `message`, and the error object that all errors have.
 */
function bodyOf(error: HttpError): string {
  return JSON.stringify({ code: 4, message: error.message, error: toErrorObject(error) });
}

/** Refuses a long-polling request. */
export function refuseRequest(error: HttpError, res: ServerResponse): void {
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value);
  res.writeHead(error.status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  res.end(bodyOf(error));
}

/** Refuses an upgrade to WebSocket, for which Node has no response object. */
export function refuseUpgrade(error: HttpError, socket: Duplex): void {
  const body = bodyOf(error);
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    ...Object.entries(error.headers).map(([name, value]) => `${name}: ${String(value)}`),
    'Content-Type: application/json',
    'Cache-Control: no-store',
    'Connection: close',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // A client that has gone meanwhile is no error of anybody's.
  socket.on('error', () => undefined);
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.once('finish', () => socket.destroy());
}
