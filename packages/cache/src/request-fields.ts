import type { TLSSocket } from 'node:tls';
import { USER_FIELDS } from '@signalbox/context';
import type { Request } from 'express';

/** Sets a field of a request for all that stands behind, or takes it away. */
export function setRequestField({ headers }: Request, name: string, value: string | undefined): void {
  if (value === undefined) delete headers[name];
  else headers[name] = value;
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
 *
 * @param vary fields that are part of the key: what they claim is told apart by it
 */
export function hasCredentials(req: Known, vary: readonly string[]): boolean {
  const { headers } = req;
  if (
    headers.authorization !== undefined ||
    headers.cookie !== undefined ||
    headers['proxy-authorization'] !== undefined
  ) {
    return true;
  }
  if (hasClaim(headers, vary)) return true;
  if (isSomebody(req.auth) || isSomebody(req.user) || hasData(req.session)) return true;
  return 'authorized' in req.socket && hasCertificate(req.socket as TLSSocket);
}

/** What clients say who they are by, such as `X-Access-Token`, `apikey` and `api_key`. */
const SECRET = /(?:^|[-_])(?:api[-_]?key|token|secret|jwt|jwt-assertion|session|session[-_]id)$/;
/** What proxies in front say who asks by. */
const OF_USERS: ReadonlySet<string> = new Set(USER_FIELDS.filter((name) => !name.endsWith('*')));
const OF_USERS_BEGIN: readonly string[] = USER_FIELDS.flatMap((name) =>
  name.endsWith('*') ? [name.slice(0, -1)] : [],
);

/** Names of fields that came, and whether they say who asks: few there are, and anybody can make up more. */
const claims = new Map<string, boolean>();
const MAX_NAMES = 1_000;

/** Whether a field says who asks; in lower case. */
export function isClaim(name: string): boolean {
  const known = claims.get(name);
  if (known !== undefined) return known;
  if (claims.size >= MAX_NAMES) claims.clear();
  const isOne =
    SECRET.test(name) || OF_USERS.has(name) || OF_USERS_BEGIN.some((beginning) => name.startsWith(beginning));
  claims.set(name, isOne);
  return isOne;
}

function hasClaim(headers: Request['headers'], vary: readonly string[]): boolean {
  for (const name in headers) if (isClaim(name) && !vary.includes(name)) return true;
  return false;
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
