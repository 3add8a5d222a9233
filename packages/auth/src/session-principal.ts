import type { Claims, Principal } from './principal.js';

/** What a session says of its user. */
export interface SessionUser {
  /** The user's id. */
  subject: string;
  /** @default [] */
  roles?: readonly string[] | undefined;
  /** @default [] */
  scopes?: readonly string[] | undefined;
  /** @default {} */
  claims?: Claims | undefined;
  /** When the user signed in, in milliseconds since 1970: what `requireFresh` goes by. */
  authenticatedAtMs?: number | undefined;
}

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Claims = Object.freeze({});

/** Who comes with a session. A class, so that all of them are of one shape. */
export class SessionPrincipal implements Principal {
  readonly subject: string;
  readonly method = 'session';
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly claims: Claims;
  readonly authenticatedAtMs: number | undefined;

  constructor(subject: string, { roles, scopes, claims, authenticatedAtMs }: Partial<SessionUser>) {
    this.subject = subject;
    this.roles = roles ?? NOTHING;
    this.scopes = scopes ?? NOTHING;
    this.claims = claims ?? NO_CLAIMS;
    this.authenticatedAtMs = authenticatedAtMs;
  }
}

const NO_DETAILS: Partial<SessionUser> = Object.freeze({});

/**
 * The principal of what the app's function returned; `undefined` where nobody is signed in.
 *
 * @throws {TypeError} when that is no user: a mistake in the program, and nobody's sign-in
 */
export function sessionPrincipal(user: unknown): SessionPrincipal | undefined {
  if (user === undefined || user === null || user === '') return undefined;
  if (typeof user === 'string') return new SessionPrincipal(user, NO_DETAILS);
  const { subject, roles, scopes } = user as SessionUser;
  const isUser =
    typeof subject === 'string' && subject !== '' && isOptionalList(roles) && isOptionalList(scopes);
  if (isUser) return new SessionPrincipal(subject, user);
  throw new TypeError(
    'session: "read" must return an id, { subject, roles, scopes } with lists, or undefined where nobody is signed in',
  );
}

/** A text has `includes`, too, and would let `admin` through for `administrators`. */
function isOptionalList(value: unknown): boolean {
  return value === undefined || Array.isArray(value);
}
