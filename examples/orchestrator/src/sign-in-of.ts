import { principalOf } from '@signalbox/auth';
import type { Request } from 'express';

/** How long a session lasts at most. */
export const SESSION_MS: number = 7 * 86_400_000;

/** A sign-in, by the names that end it. */
export interface SignIn {
  readonly session: readonly string[];
  /** In milliseconds since 1970. */
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
}

/**
 * What a request was signed in by.
 *
 * @param session the public name of its session, where it has one
 */
export function signInOf(req: Request, session: string | undefined): SignIn {
  const auth = principalOf(req);
  if (auth.method === 'token') {
    const { family, id, issuedAtMs, expiresAtMs } = auth;
    return { session: namesOf(family, id), issuedAt: issuedAtMs, expiresAt: expiresAtMs };
  }
  if (auth.method === 'api_key')
    return { session: [auth.id], issuedAt: undefined, expiresAt: auth.expiresAtMs };
  const { authenticatedAtMs: issuedAt } = auth;
  const lastMs = issuedAt === undefined ? undefined : issuedAt + SESSION_MS;
  return { session: namesOf(session), issuedAt, expiresAt: req.session?.endsAtMs ?? lastMs };
}

function namesOf(...names: readonly (string | undefined)[]): string[] {
  return names.filter((name) => name !== undefined);
}
