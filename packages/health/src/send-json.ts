import type { ServerResponse } from 'node:http';

/** Sends a body without what Express would add: an ETag has no use where nothing may be stored. */
export function sendJson(res: ServerResponse, status: number, body: string): void {
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  // For HEAD, Node sends the fields and leaves the body out (RFC 9110 section 9.3.2).
  res.end(body);
}
