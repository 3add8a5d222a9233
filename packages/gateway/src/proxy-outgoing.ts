import type { Dispatcher } from 'undici';
import { Pieces, UploadBody } from './proxy-request-body.js';
import type { ClientConnection } from './proxy-tunnel.js';
import type { Server } from './server.js';

/** A request as it goes to whichever server. */
export interface OutgoingRequest {
  method: string;
  path: string;
  /** Names and values in turn. */
  fields: string[];
  body: Buffer | Pieces | UploadBody | null;
  /** Set for a request to upgrade. */
  connection: ClientConnection | undefined;
  /** Nobody else may have the connection to the upstream after it. */
  endsConnection: boolean;
}

/** undici takes it, though its types do not tell. */
type DispatchOptions = Dispatcher.DispatchOptions & { servername?: string | undefined };

/** Hands a request to the connections of a server; `handler` hears of all that comes of it. */
export function sendTo(
  server: Server,
  { fields, path, method, body, connection, endsConnection }: OutgoingRequest,
  preserveHost: boolean,
  handler: Dispatcher.DispatchHandler,
): void {
  const { prefix, authorization } = server.address;
  const options: DispatchOptions = {
    path: prefix + path,
    method,
    headers: authorization === undefined ? fields : withAuthorization(fields, authorization),
    body: body instanceof Pieces ? body.toBody() : body,
    upgrade: connection === undefined ? null : 'websocket',
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (endsConnection) options.reset = true;
  // Not the client's Host, for which there is hardly a certificate.
  if (preserveHost) options.servername = server.serverName;
  server.pool.dispatch(options, handler);
}

/** The client's is for somebody else. A target that a request chooses is known after its fields are. */
function withAuthorization(fields: readonly string[], authorization: string): string[] {
  const others = fields.filter(
    (_text, index) => fields[index - (index % 2)]?.toLowerCase() !== 'authorization',
  );
  return [...others, 'authorization', authorization];
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

/**
 * Whether it may be sent again: when nobody can have seen it, or when that does no harm (RFC 9110 section
 * 9.2.2). A body that has begun to flow is gone.
 */
export function mayRepeat({ body, method, connection }: OutgoingRequest, reached: boolean): boolean {
  if (body instanceof UploadBody) return !(reached || body.readableDidRead || body.destroyed);
  return !reached || (connection === undefined && IDEMPOTENT.has(method));
}
