import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Traffic } from './traffic.js';

/** What is said of each fault: nothing that the client sent is repeated. */
const ANSWERS: Readonly<Record<string, readonly [status: number, type: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    431,
    'request_header_fields_too_large',
    'The request line and header fields are too large',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'payload_too_large', 'The chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout', 'The request did not arrive in time'],
};
const MALFORMED = [400, 'bad_request', 'The request is malformed'] as const;

/** How long a connection is kept for the client to read the answer: destroying it at once may discard it. */
const READ_ANSWER_MS = 500;

/**
 * Answers requests that never reach the app, because they are malformed, too large or too slow: 400, 431, 413,
 * 408, in the shape of every other error, and then closes the connection (RFC 9112 section 9.6).
 */
export function answerClientErrors(server: Server, traffic: Traffic): void {
  const answered = new WeakSet<Duplex>();

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The parser complains again about every further byte.
    if (answered.has(socket)) return;
    answered.add(socket);

    if (!isFaultOfRequest(error) || !socket.writable || hasResponseUnderWay(traffic, socket)) {
      socket.destroy();
      return;
    }
    const late = setTimeout(() => socket.destroy(), READ_ANSWER_MS).unref();
    socket.once('close', () => clearTimeout(late));
    socket.end(rawResponse(error.code ?? ''));
  });
}

/** Not a broken connection, and not a failed TLS handshake, over which nothing can be said. */
function isFaultOfRequest({ code = '' }: NodeJS.ErrnoException): boolean {
  return code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/**
 * Whether an answer would be taken for part of another one: of a response that has begun, or of one to
 * an earlier request, complete, that has not.
 */
function hasResponseUnderWay(traffic: Traffic, socket: Duplex): boolean {
  for (const res of traffic.responses) {
    if (res.req.socket === socket && (res.headersSent || res.req.complete)) return true;
  }
  return false;
}

function rawResponse(code: string): string {
  const [status, type, message] = ANSWERS[code] ?? MALFORMED;
  const requestId = randomUUID();
  const timestamp = new Date();
  // There is no request to name a path and a method of.
  const error = { code: status, type, message, timestamp, path: null, method: null, requestId };
  const body = JSON.stringify({ error });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${timestamp.toUTCString()}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${requestId}`,
    '',
    body,
  ].join('\r\n');
}
