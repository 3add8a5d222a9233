import type { IncomingMessage } from 'node:http';
import type { SocketAuth } from './options.js';
import { requirePrincipal, type SocketPrincipal } from './principal.js';
import { authenticationRequired, credentialExpired } from './refusals.js';
import type { Settings } from './settings.js';
import { within } from './within.js';

/**
 * Asks who it is. Rejects where that is nobody, too late, or took too long.
 *
 * @param auth what the client sent, which may be anything
 */
export async function signIn(
  { authenticate, anonymous, authenticateTimeoutMs }: Settings,
  request: IncomingMessage,
  auth: SocketAuth,
): Promise<SocketPrincipal | undefined> {
  const answer = (async () => authenticate(request, auth))();
  const found = await within(authenticateTimeoutMs, answer);
  if (found === undefined) {
    if (!anonymous) throw authenticationRequired();
    return undefined;
  }
  const principal = requirePrincipal(found);
  if ((principal.expiresAt ?? Infinity) <= Date.now()) throw credentialExpired();
  return principal;
}

/** What a client sent as its credential, as an object. */
export function authOf(value: unknown): SocketAuth {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as SocketAuth) : {};
}
