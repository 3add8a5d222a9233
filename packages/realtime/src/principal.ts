/** Who is at the other end of a socket. */
export interface SocketPrincipal {
  /** Who it is, such as the id of a user. */
  readonly subject: string;
  readonly roles?: readonly string[] | undefined;
  /** When the credential ends, in milliseconds since 1970. The socket ends with it unless it is renewed. */
  readonly expiresAt?: number | undefined;
  /** When the credential was issued, in milliseconds since 1970. */
  readonly issuedAt?: number | undefined;
  /** Names of what the socket ends with: a session, a sign-in, a token. */
  readonly session?: string | readonly string[] | undefined;
}

/** Whose sockets are meant. What is given must all fit; nothing given fits nobody. */
export interface SocketTarget {
  readonly subject?: string | undefined;
  /** One name of {@link SocketPrincipal.session}, or several, of which any will do. */
  readonly session?: string | readonly string[] | undefined;
  /** A session whose sockets stay, or the id of one socket. */
  readonly except?: string | undefined;
  /** Only credentials that were issued until then, in milliseconds since 1970; one without a time is meant, too. */
  readonly issuedUntil?: number | undefined;
}

/** Whether a target means the socket with this id and principal. */
export function isMeant(target: SocketTarget, id: string, principal: SocketPrincipal | undefined): boolean {
  const { subject, session, except, issuedUntil } = target;
  if (principal === undefined || (subject === undefined && session === undefined)) return false;
  if (subject !== undefined && principal.subject !== subject) return false;
  if (session !== undefined && ![session].flat().some((name) => isNamed(principal, name))) return false;
  if (except !== undefined && (id === except || isNamed(principal, except))) return false;
  return issuedUntil === undefined || (principal.issuedAt ?? 0) <= issuedUntil;
}

function isNamed({ session }: SocketPrincipal, name: string): boolean {
  return typeof session === 'string' ? session === name : session?.includes(name) === true;
}

/** Checks what an `authenticate` function has returned: a slip there must not let anybody in. */
export function requirePrincipal(value: unknown): SocketPrincipal {
  const { subject, expiresAt, issuedAt } = (value ?? {}) as Record<string, unknown>;
  if (typeof subject !== 'string' || subject === '') {
    throw new TypeError('realtime: "authenticate" must return a principal with a subject, or undefined');
  }
  for (const time of [expiresAt, issuedAt]) {
    if (time !== undefined && !(typeof time === 'number' && Number.isFinite(time))) {
      throw new TypeError('realtime: "authenticate" must give times as milliseconds since 1970');
    }
  }
  return value as SocketPrincipal;
}
