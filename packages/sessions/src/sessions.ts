import { currentRequest } from '@signalbox/context';
import { watchOutage } from '@signalbox/redis';
import type { Request, RequestHandler } from 'express';
import { changeKey, type SessionChange } from './change-key.js';
import { findCookie } from './cookies.js';
import { SessionRequiredError, SessionStoreUnavailableError } from './errors.js';
import { ExpressStore } from './express-store.js';
import { resolveOptions, type SessionsOptions } from './options.js';
import type { SessionInfo } from './ownership.js';
import { createSaver } from './saver.js';
import { signIn, signOut } from './signing.js';
import { userSessions } from './user-sessions.js';
import { cachedUsers } from './users.js';
import { currentVisit, requireVisit, Visit, type Kit } from './visit.js';

/** The middleware, and what an app does with sessions. */
export interface Sessions extends RequestHandler {
  /**
   * Gives the visitor a new session of that user; the one before is dead when this resolves.
   *
   * @param data what the session holds besides `userId`
   */
  signIn(req: Request, userId: string, data?: object): Promise<void>;
  /** Ends the visitor's session; `req.session` is undefined from then on. */
  signOut(req: Request): Promise<void>;
  /** Ends all sessions of the user; resolves to how many there were. */
  signOutEverywhere(userId: string): Promise<number>;
  /** The sessions of the user, the one used last first. */
  sessionsOf(userId: string, req?: Request): Promise<SessionInfo[]>;
  /** Ends one session of the user by its public name; resolves to whether there was one. */
  revoke(userId: string, id: string): Promise<boolean>;
  /**
   * Lets the idle time of a session of the user begin anew by its public name, as when tokens of the same sign-in are
   * refreshed; resolves to whether there is one.
   */
  extend(userId: string, id: string): Promise<boolean>;
  /** Ends all sessions of the visitor but this one; resolves to how many there were. */
  revokeOthers(req: Request): Promise<number>;
  /**
   * Changes one key, and loses no change that others make at the same time: `work` is called again with what is there
   * then. Resolves to what was saved. Saves at once.
   */
  change<Value>(req: Request, key: string, work: SessionChange<Value>): Promise<Value | undefined>;
  /** When the user was last seen, if that was within `activityMs`. */
  lastActivityOf(userId: string): Promise<Date | undefined>;
  /** Drops what `loadUser` found. */
  forgetUser(userId: string): void;
  /** Public name of the visitor's session, for `csrf({ session: session.idOf })`; `undefined` before there is one. */
  readonly idOf: (req: Request) => string | undefined;
  /** A middleware for signed-in visitors: else 401, and 503 `session_store_unavailable` while that cannot be known. */
  required(): RequestHandler;
  /** Ends timers and caches. The store's client stays open. */
  close(): void;
}

/**
 * Sessions on express-session: `req.session`, saved before the response leaves, key by key, so that parallel requests
 * lose nothing of each other's and a session that has ended does not come back. `req.user` is whom `loadUser` finds.
 *
 * While the store does not answer, `req.session` of those who have one is undefined and no cookie is sent.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const session = sessions({ store: redisStore(redis), secrets: SECRET_KEYS });
 * app.use(session);
 */
export function sessions(options: SessionsOptions): Sessions {
  const settings = resolveOptions(options);
  const { cookieName, ids, store, loadUser } = settings;
  const outage = watchOutage({ feature: 'sessions', probe: () => store.probe?.() });
  const saver = createSaver(settings, outage);
  const users = loadUser && cachedUsers(loadUser, settings.userCacheMs, settings.loadTimeoutMs);
  const express = new ExpressStore(settings, saver);
  const kit: Kit = { settings, express, saver, outage, users };

  const sessionMiddleware: RequestHandler = function sessionMiddleware(req, res, next) {
    const known = currentVisit(req);
    if (known !== undefined) {
      if (known.isOf(kit)) return known.whenOpen(next);
      // Two would take each other's sessions for their own.
      return next(
        new TypeError('sessions: a request may go through one sessions() alone, and has met another'),
      );
    }
    const visit = new Visit(kit, req, res, next);
    const { cookie } = req.headers;
    const opened = cookie === undefined ? undefined : findCookie(cookie, cookieName, ids.open);
    if (opened === undefined) return next();
    visit.open(opened);
  };

  const ofUser = userSessions(kit);

  return Object.assign(sessionMiddleware, {
    signIn: (req: Request, userId: string, data: object = {}) => signIn(kit, req, userId, data),
    signOut: (req: Request) => signOut(kit, req),
    signOutEverywhere: (userId: string) => ofUser.endAll(userId),
    sessionsOf(userId: string, req: object | undefined = currentRequest()?.req) {
      return ofUser.list(userId, req && idOf(req as Request));
    },
    revoke: ofUser.revoke,
    extend: ofUser.extend,
    revokeOthers: ofUser.revokeOthers,
    change: <Value>(req: Request, key: string, work: SessionChange<Value>) => changeKey(kit, req, key, work),
    lastActivityOf: ofUser.lastActivityOf,
    forgetUser: (userId: string) => users?.forget(userId),
    idOf,
    required: () => required(users !== undefined),
    close() {
      outage.close();
      users?.close();
    },
  });
}

function idOf(req: Request): string | undefined {
  const kept = currentVisit(req)?.kept;
  return kept?.body === undefined ? undefined : kept.place.handle;
}

function required(needsUser: boolean): RequestHandler {
  return function sessionRequired(req, _res, next) {
    const { failure, userFailure, userId } = requireVisit('required', req);
    if (failure !== undefined) return next(new SessionStoreUnavailableError(failure));
    if (userId === undefined) return next(new SessionRequiredError());
    if (userFailure !== undefined) return next(userFailure);
    // Somebody whom the app no longer knows.
    if (needsUser && req.user === undefined) return next(new SessionRequiredError());
    next();
  };
}
