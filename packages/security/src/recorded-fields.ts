import { IncomingMessage, ServerResponse, type IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';

/** A header field that is set on many responses: name in lower case, and value. */
export type Field = readonly [name: string, value: string];

/**
 * The header fields that a middleware sets, for one whose answer does not depend on the request. It answers once,
 * to nobody, and what it has set is what every response gets.
 *
 * @throws what the middleware throws or passes on
 */
export function recordedFields(
  middleware: (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void,
  headers: IncomingHttpHeaders = {},
): readonly Field[] {
  const req = new IncomingMessage(new Socket());
  req.method = 'GET';
  Object.assign(req.headers, headers);
  const res = new ServerResponse(req);
  middleware(req, res, (error?: unknown) => {
    if (error !== undefined && error !== null) throw error;
  });
  return res.getHeaderNames().map((name) => [name, String(res.getHeader(name))] as const);
}
