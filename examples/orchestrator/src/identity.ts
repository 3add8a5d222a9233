import { readFileSync } from 'node:fs';
import {
  apiKey,
  apiKeys,
  authenticate,
  bearer,
  keyRing,
  memoryTokenStore,
  passwords,
  pemKeys,
  principalOf,
  redisTokenStore,
  requireFresh,
  requirePrincipal,
  requireRole,
  revocationBus,
  secretKeys,
  session as sessionMethod,
  TokenError,
  tokens,
  totp,
  type ApiKeys,
  type RevocationBus,
  type Passwords,
  type Tokens,
  type Totp,
} from '@signalbox/auth';
import type { Database } from '@signalbox/postgres';
import { ForbiddenError } from '@signalbox/errors';
import type { Logger } from '@signalbox/logging';
import type { RedisLink } from '@signalbox/redis';
import { memoryStore, redisStore, sessions, type SessionInfo, type Sessions } from '@signalbox/sessions';
import { signals } from '@signalbox/signals';
import type { Request, RequestHandler } from 'express';
import { audit, type Audit } from './accounts/audit.js';
import { ensureAdmin } from './accounts/ensure-admin.js';
import { history, type History } from './accounts/history.js';
import { migrated } from './accounts/migrated.js';
import { keyStore } from './accounts/key-store.js';
import { openDatabase } from './accounts/open-database.js';
import { passwordResets, type PasswordResets } from './accounts/password-resets.js';
import { sealed } from './accounts/sealed.js';
import { secondFactors, type SecondFactors } from './accounts/second-factors.js';
import { users, type Users } from './accounts/users.js';
import { derivedSecrets } from './derived-secrets.js';
import type { Role } from './roles.js';
import type { Settings } from './settings.js';
import { SESSION_MS, signInOf, type SignIn } from './sign-in-of.js';

/** What tokens and keys may be good for. */
export const SCOPES = ['search', 'history'] as const;

const MINUTE_MS = 60_000;
const GUEST_MS = 30 * MINUTE_MS;
const MAX_SESSIONS = 50;
/** How long after a sign-in the second factor may be changed. */
const FRESH_MS = 15 * MINUTE_MS;

// What a session holds besides the user's id.
declare module 'express-session' {
  interface SessionData {
    email: string | undefined;
    roles: readonly Role[];
    signedInAtMs: number;
    /** Of guests: when they are none any more. */
    endsAtMs: number | undefined;
  }
}

/** Somebody who signs in. */
export interface Visitor {
  readonly id: string;
  readonly email: string | undefined;
  readonly roles: readonly Role[];
}

/** Who asks, by whatever they came. */
export interface Asker extends Visitor {
  readonly method: 'token' | 'api_key' | 'session';
  readonly signedInAt: Date | undefined;
}

/** Everything about who somebody is: the packages, composed, and the tables behind them. */
export interface Identity {
  readonly database: Database;
  readonly users: Users;
  readonly audit: Audit;
  readonly history: History;
  readonly resets: PasswordResets;
  readonly factors: SecondFactors;
  readonly session: Sessions;
  readonly tokens: Tokens;
  readonly keys: ApiKeys<(typeof SCOPES)[number], Role>;
  readonly passwords: Passwords;
  readonly totp: Totp;
  /** Finds out who asks; nobody is an answer, too. */
  readonly who: RequestHandler;
  /** The same, where Redis may be gone: tokens and keys are taken at their word then. */
  readonly whoEvenSo: RequestHandler;
  /** Only for who has a token: cookies, which browsers send by themselves, do not count. */
  readonly bearerOnly: RequestHandler;
  /** Only for who is signed in, be it as a guest; 503 while that cannot be known. */
  readonly required: RequestHandler;
  /** Only for who is signed in and came in person, be it as a guest: no key. */
  readonly inPerson: RequestHandler;
  /** Only for who has an account and came in person: no guest, no key. */
  readonly account: RequestHandler;
  /** Only for who has signed in a moment ago. */
  readonly fresh: RequestHandler;
  readonly asker: (req: Request) => Asker;
  /** What a request was signed in by, for what outlives it. */
  readonly signInOf: (req: Request) => SignIn;
  /** Hears of sign-outs and of changed roles, whichever process they happen on. */
  readonly onRevoked: RevocationBus['on'];
  /** A session and tokens of one sign-in: they end together. */
  signIn(req: Request, visitor: Visitor): Promise<SignedIn>;
  /** @param userId where the request itself came with no sign-in */
  signOut(req: Request, userId?: string): Promise<void>;
  signOutEverywhere(userId: string): Promise<void>;
  signOutOthers(req: Request): Promise<void>;
  endSession(req: Request, id: string): Promise<boolean>;
  revokeKey(userId: string, id: string): Promise<boolean>;
  /** Makes tables and the admin account, where they are missing. */
  prepare(): Promise<void>;
  /** Rejects where the tables cannot be made as this version wants them. */
  checkTables(): Promise<void>;
  close(): Promise<void>;
}

export interface SignedIn {
  user: Visitor;
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
}

export interface IdentityParts {
  redis: RedisLink | undefined;
  logger: Logger;
}

export function identity(settings: Settings, { redis, logger }: IdentityParts): Identity {
  const { SECRET_KEYS, JWT_PRIVATE_KEYS, NODE_ENV, PUBLIC_URL } = settings;
  // The nodes of one site have this in common, their addresses not.
  const site = PUBLIC_URL ?? 'signalbox';
  // Tests sign in a thousand times.
  const hashing = passwords(NODE_ENV === 'test' ? { logN: 12 } : {});
  const { database, ready, check } = migrated(openDatabase(settings, logger), (raw) =>
    ensureAdmin(settings, { users: users(raw), audit: audit(raw), passwords: hashing }),
  );
  const bus = revocationBus({ redis });
  const session = sessions({
    store: redis === undefined ? memoryStore() : redisStore(redis),
    secrets: SECRET_KEYS,
    maxPerUser: MAX_SESSIONS,
    absoluteMs: SESSION_MS,
    cookie: { secure: site.startsWith('https:') },
    production: NODE_ENV === 'production',
  });
  const issued = tokens({
    keys: keyRing(
      JWT_PRIVATE_KEYS.length > 0
        ? pemKeys(JWT_PRIVATE_KEYS.map((path) => readFileSync(path)))
        : secretKeys(SECRET_KEYS),
    ),
    issuer: site,
    audience: site,
    store: redis === undefined ? memoryTokenStore() : redisTokenStore(redis),
    bus,
    // Tokens last as long as the session of the sign-in, which is what its owner sees and ends.
    async claims(subject, { endsAtMs }, family) {
      if (typeof endsAtMs === 'number' && endsAtMs < Date.now())
        throw new TokenError('token_expired', 'expired');
      if (!(await session.extend(subject, family))) throw new TokenError('token_revoked', 'revoked');
      return undefined;
    },
  });
  const keys = apiKeys<(typeof SCOPES)[number], Role>({
    store: keyStore(database),
    secrets: SECRET_KEYS,
    scopes: SCOPES,
    roles: ['user'],
  });
  const factor = totp({ issuer: 'Signalbox', secrets: SECRET_KEYS });
  const accounts = users(database);
  const records = audit(database);

  const methods = [bearer(issued), apiKey(keys), sessionMethod(sessionUser, { load: session })];
  const needsAccount = requireRole<Role>('user', 'admin');
  const needsPrincipal = requirePrincipal();
  const notByKey = (next: RequestHandler): RequestHandler =>
    function inPersonMiddleware(req, res, done) {
      if (req.auth?.method === 'api_key') return done(new ForbiddenError('Not with an API key'));
      return next(req, res, done);
    };
  const endTheft = signals.tokenEvent.subscribe(({ event, subject, family }) => {
    if (event !== 'reused' || subject === undefined || family === undefined) return;
    const done = Promise.all([session.revoke(subject, family), records.record('token_reused', subject)]);
    done.catch((error: unknown) =>
      logger.error({ err: error }, 'a stolen sign-in could not be ended everywhere'),
    );
  });
  const endListening = bus.on(({ subject, type }) => {
    session.forgetUser(subject);
    if (type !== 'signed_out') keys.forgetSubject(subject);
  });

  return {
    database,
    users: accounts,
    audit: records,
    history: history(database),
    resets: passwordResets(database),
    factors: secondFactors(database, factor, sealed(derivedSecrets(settings, 'second-factor'))),
    session,
    tokens: issued,
    keys,
    passwords: hashing,
    totp: factor,
    who: authenticate(methods, { optional: true }),
    whoEvenSo: authenticate(methods, { optional: true, onStoreDown: 'open' }),

    bearerOnly: authenticate([bearer(issued)]),
    required: needsPrincipal,
    inPerson: notByKey(needsPrincipal),
    account: notByKey(needsAccount),
    fresh: requireFresh(FRESH_MS),

    asker(req) {
      const { subject, method, roles, claims, authenticatedAtMs } = principalOf(req);
      return {
        id: subject,
        email: typeof claims['email'] === 'string' ? claims['email'] : undefined,
        roles: roles as readonly Role[],
        method,
        signedInAt: authenticatedAtMs === undefined ? undefined : new Date(authenticatedAtMs),
      };
    },

    signInOf: (req) => signInOf(req, session.idOf(req)),

    onRevoked: (listener, options) => bus.on(listener, options),

    async signIn(req, visitor) {
      const { id, email, roles } = visitor;
      const isGuest = roles.includes('guest');
      const endsAtMs = isGuest ? Date.now() + GUEST_MS : undefined;
      const before = { id: session.idOf(req), userId: req.session?.userId };
      const others = isGuest ? [] : await session.sessionsOf(id, req);
      await session.signIn(req, id, { email, roles, signedInAtMs: Date.now(), endsAtMs });
      if (before.id !== undefined && before.userId !== undefined) {
        await issued.revokeFamily(before.userId, before.id);
      }
      if (others.length >= MAX_SESSIONS) await endTokensOfEnded(id, others);
      const { accessToken, refreshToken, expiresIn } = await issued.issue(
        id,
        { email, roles, scope: scopesOf(roles).join(' '), endsAtMs },
        { family: session.idOf(req), ...(isGuest ? { refreshTtlMs: GUEST_MS } : {}) },
      );
      return { user: { id, email, roles }, accessToken, refreshToken, expiresIn };
    },

    async signOut(req, subject = principalOf(req).subject) {
      const signIns = new Set([familyOf(req), session.idOf(req)]);
      // The cookie first: who reads the answer is signed out here, whatever happens then.
      await session.signOut(req);
      for (const id of signIns) if (id !== undefined) await endSignIn(subject, id);
    },

    async signOutEverywhere(userId) {
      await Promise.all([session.signOutEverywhere(userId), issued.revokeAll(userId)]);
    },

    async signOutOthers(req) {
      const { subject } = principalOf(req);
      const here = familyOf(req) ?? session.idOf(req);
      const others = (await session.sessionsOf(subject, req)).filter(({ id }) => id !== here);
      await Promise.all(others.map(({ id }) => endSignIn(subject, id)));
    },

    endSession: (req, id) => endSignIn(principalOf(req).subject, id),

    async revokeKey(userId, id) {
      const wasThere = await keys.revoke(userId, id);
      // The others have it in their caches for a while. Who does not hear of it forgets it by itself.
      await bus.publish({ type: 'roles_changed', subject: userId }).catch(() => undefined);
      return wasThere;
    },

    prepare: ready,
    checkTables: check,

    async close() {
      endListening();
      endTheft();
      bus.close();
      issued.close();
      session.close();
      await database.close();
    },
  };

  /** Of sessions that made room for another. */
  async function endTokensOfEnded(userId: string, sessionsBefore: readonly SessionInfo[]): Promise<void> {
    const left = new Set((await session.sessionsOf(userId)).map(({ id }) => id));
    const ended = sessionsBefore.filter(({ id }) => !left.has(id));
    await Promise.all(ended.map(({ id }) => issued.revokeFamily(userId, id)));
  }

  /** Session and tokens of one sign-in have one name. */
  async function endSignIn(userId: string, id: string): Promise<boolean> {
    const [wasThere] = await Promise.all([session.revoke(userId, id), issued.revokeFamily(userId, id)]);
    return wasThere;
  }
}

function sessionUser({ session }: Request) {
  if (session?.userId === undefined) return undefined;
  const { userId, email, roles = [], signedInAtMs, endsAtMs } = session;
  if (endsAtMs !== undefined && endsAtMs < Date.now()) return undefined;
  return {
    subject: userId,
    roles,
    scopes: scopesOf(roles),
    claims: { email },
    authenticatedAtMs: signedInAtMs,
  };
}

/** What somebody may do who came in person. Of guests nothing is kept. */
function scopesOf(roles: readonly Role[]): readonly string[] {
  return roles.includes('guest') ? GUEST_SCOPES : SCOPES;
}

const GUEST_SCOPES: readonly string[] = ['search'];

function familyOf({ auth }: Request): string | undefined {
  return auth?.method === 'token' ? auth.family : undefined;
}
