import type { TLSSocket } from 'node:tls';
import type { Request } from 'express';

/** Sets a field of a request for all that stands behind, or takes it away; in `rawHeaders`, too, where proxies look. */
export function setRequestField(req: Request, name: string, value: string | undefined): void {
  const { headers, rawHeaders } = req;
  if (headers[name] === undefined && value === undefined) return;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === name) rawHeaders.splice(index, 2);
  }
  if (value === undefined) {
    delete headers[name];
    return;
  }
  headers[name] = value;
  rawHeaders.push(name, value);
}

/** A session, and where apps and middlewares put who asks. */
type Known = Request & {
  readonly auth?: unknown;
  readonly user?: unknown;
  readonly session?: unknown;
};

/**
 * Whether a request says who asks: what it is answered may be for him alone. Anything counts that a handler could have
 * looked at, since nobody can see from the answer whether it did.
 */
export function hasCredentials(req: Known): boolean {
  const { headers } = req;
  if (
    headers.authorization !== undefined ||
    headers.cookie !== undefined ||
    headers['x-api-key'] !== undefined ||
    headers['proxy-authorization'] !== undefined
  ) {
    return true;
  }
  if (isSomebody(req.auth) || isSomebody(req.user) || hasData(req.session)) return true;
  return 'authorized' in req.socket && hasCertificate(req.socket as TLSSocket);
}

/** A certificate of the client's own, also one that nobody has signed: an app may know it all the same. */
function hasCertificate(socket: TLSSocket): boolean {
  if (socket.authorized) return true;
  // Where no certificate was asked for nothing can be wrong with it; where none came it is empty.
  const wrong: unknown = socket.authorizationError;
  if (wrong === undefined || wrong === null) return false;
  return Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}

function isSomebody(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

/** A session that holds more than its cookie. */
function hasData(session: unknown): boolean {
  if (typeof session !== 'object' || session === null) return false;
  for (const name in session) {
    if (name !== 'cookie' && Object.hasOwn(session, name)) return true;
  }
  return false;
}
