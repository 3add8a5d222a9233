import { facts, hasLeft, holdResponse, type HoldOwner } from '@signalbox/context';
import { errorHandlerOf } from '@signalbox/errors';
import { wrongOption } from '@signalbox/options';
import type { Outage } from '@signalbox/redis';
import type { NextFunction, Request, Response } from 'express';
import type { Session } from 'express-session';
import { cookiesOf, cookieText, putCookie } from './cookies.js';
import { SessionStoreUnavailableError } from './errors.js';
import type { ExpressStore } from './express-store.js';
import type { Settings } from './options.js';
import { keepListed } from './ownership.js';
import { KeptSession, publish, type Saver } from './saver.js';
import type { OpenedCookie } from './session-ids.js';
import { readText, type Data } from './session-text.js';
import type { Ownership, SessionPlace } from './store.js';
import type { Users } from './users.js';
import { mark, visitOf, type CurrentVisit } from './visit-of.js';

/** What all requests share. */
export interface Kit {
  readonly settings: Settings;
  readonly express: ExpressStore;
  readonly saver: Saver;
  readonly outage: Outage;
  readonly users: Users | undefined;
}

/** The visit of a request that went through the middleware. */
export function currentVisit(req: Request): Visit | undefined {
  return visitOf(req) as Visit | undefined;
}

/** @throws {TypeError} when it did not, naming the function that needs it */
export function requireVisit(caller: string, req: Request): Visit {
  const visit = currentVisit(req);
  if (visit !== undefined) return visit;
  throw wrongOption(caller, 'req', 'a request that went through the session middleware', req);
}

/** `req.session` is made when somebody looks at it: most requests of a public page never do. */
const SESSION: PropertyDescriptor & ThisType<Request> = {
  configurable: true,
  enumerable: false,
  get() {
    return currentVisit(this)?.session();
  },
  set(value: unknown) {
    currentVisit(this)?.assign(value);
  },
};

/**
 * Whether express-session made it: by what it can do, since an app may have two copies of express-session, of which
 * connect-redis has the other one.
 */
function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  return ['regenerate', 'save', 'touch'].every((name) => typeof Reflect.get(value, name) === 'function');
}

const LONG_AGO = new Date(0);

/** Instead of the text of a session that could not be read. */
const UNKNOWN = 'unknown';

/** One request and its session. A class, and no closures: there is one for each request. */
export class Visit implements CurrentVisit, HoldOwner {
  current: Session | undefined = undefined;
  tag = '';
  /** What the store has, or is to get. */
  kept: KeptSession | undefined = undefined;
  /** Where the session is that the visitor's cookie names, whether or not it could be read. */
  place: SessionPlace | undefined = undefined;
  userId: string | undefined = undefined;
  /** Why the session could not be read. */
  failure: unknown = undefined;
  /** Why the user could not be loaded. */
  userFailure: unknown = undefined;
  private data: Data | undefined = undefined;
  /** The session whose cookie is sent again. */
  private resentFor: KeptSession | undefined = undefined;
  private isOver = false;
  private isOpening = false;
  private alsoWaiting: NextFunction[] | undefined = undefined;

  constructor(
    private readonly kit: Kit,
    private readonly req: Request,
    private readonly res: Response,
    private readonly next: NextFunction,
  ) {
    mark(req, this);
    req.sessionStore = kit.express;
    Object.defineProperty(req, 'session', SESSION);
  }

  /** Asks for the session of a cookie, in this turn. */
  open(cookie: OpenedCookie): void {
    const { settings } = this.kit;
    this.isOpening = true;
    this.place = cookie.place;
    this.req.sessionID = cookie.id;
    let answer: ReturnType<Settings['store']['read']>;
    try {
      answer = settings.store.read(cookie.place, settings.idleMs);
    } catch (error) {
      return this.unread(error);
    }
    if (typeof answer !== 'object' || answer === null) return this.arrived(cookie, answer);
    answer.then(
      (text) => this.arrived(cookie, text),
      (error: unknown) => this.unread(error),
    );
  }

  isOf(kit: Kit): boolean {
    return this.kit === kit;
  }

  /** For whoever mounted the middleware a second time, be it beside this one in `inParallel`. */
  whenOpen(next: NextFunction): void {
    if (this.isOpening) (this.alsoWaiting ??= []).push(next);
    else next();
  }

  private opened(): void {
    this.isOpening = false;
    this.next();
    const { alsoWaiting } = this;
    if (alsoWaiting !== undefined) for (const next of alsoWaiting) next();
  }

  private unread(error: unknown): void {
    this.failure = error;
    this.kit.outage.failed(error, 'unavailable');
    this.opened();
  }

  private arrived(cookie: OpenedCookie, text: string | null | undefined): void {
    const { settings } = this.kit;
    const read = text ? readText(text) : undefined;
    if (read === undefined) {
      // An empty one was ended by somebody, who said so.
      if (text !== '') publish('expired');
      this.place = undefined;
      return this.opened();
    }
    const nowMs = settings.now();
    if (read.createdAtMs + settings.absoluteMs <= nowMs) return this.expire(cookie.place);

    this.kept = new KeptSession(settings.ids, cookie.id, read.createdAtMs, read.body, cookie.place);
    this.data = read.data;
    if (nowMs - cookie.sentAtMs >= settings.resendMs && !hasLeft(this.res)) {
      this.sendCookie();
      publish('renewed');
      this.resentFor = this.kept;
      this.hold();
      const { tag, handle } = cookie.place;
      if (tag !== handle) keepListed(settings, tag);
    }
    const { userId } = read.data;
    if (typeof userId === 'string') return this.recognise(userId);
    this.opened();
  }

  /** Older than sessions may be. Nobody waits for it to be gone. */
  private expire(place: SessionPlace): void {
    this.kit.saver.end(place).catch(() => undefined);
    this.place = undefined;
    publish('expired');
    this.opened();
  }

  private recognise(userId: string): void {
    this.userId = userId;
    facts(this.req).userId = userId;
    const user = this.kit.users?.get(userId);
    if (!(user instanceof Promise)) {
      if (user !== undefined) this.req.user = user;
      return this.opened();
    }
    void this.loadUser(userId).then(() => this.opened());
  }

  /** Never rejects: who does not need the user goes on without. */
  async loadUser(userId: string): Promise<void> {
    this.userId = userId;
    try {
      this.req.user = await this.kit.users?.get(userId);
      this.userFailure = undefined;
    } catch (error) {
      this.userFailure = error;
    }
  }

  /** For `req.session`. */
  session(): Session | undefined {
    if (this.current !== undefined || this.isOver || this.failure !== undefined) return this.current;
    const { express } = this.kit;
    if (this.kept === undefined) express.generate(this.req);
    else express.createSession(this.req, this.data as never);
    this.hold();
    return this.current;
  }

  /** express-session sets `req.session`. */
  assign(value: unknown): void {
    if (value === undefined || value === null) return this.leave();
    if (!isSession(value)) {
      throw new TypeError('sessions: "req.session" cannot be replaced; see req.session.regenerate()');
    }
    this.current = value;
    const { id } = this.current;
    if (id === this.kept?.id) return;
    // It is nobody's until somebody signs in.
    if (this.userId !== undefined) this.forgetUser();
    const { ids, now } = this.kit.settings;
    this.kept = new KeptSession(ids, id, now(), undefined);
  }

  /** `destroy()` of express-session deletes the property; a new session may come after. */
  reopen(): void {
    this.isOver = false;
    this.failure = undefined;
    if (!Object.hasOwn(this.req, 'session')) Object.defineProperty(this.req, 'session', SESSION);
    this.hold();
  }

  renew(body: string, createdAtMs: number): void {
    if (this.kept === undefined) return;
    this.kept.body = body;
    this.kept.createdAtMs = createdAtMs;
  }

  private hold(): void {
    holdResponse(this.res, this);
  }

  async save(owner?: Ownership): Promise<void> {
    const { kept, current } = this;
    if (kept === undefined || current === undefined) return;
    const isNew = kept.body === undefined;
    await this.kit.saver.save(kept, current, owner);
    if (!isNew || this.kept !== kept) return;
    this.place = kept.place;
    this.sendCookie();
  }

  /**
   * A sign-in beside this request may have ended the session, and sent the cookie of another: an answer that comes later
   * must not put this one in its place.
   */
  private async recheck(resent: KeptSession): Promise<void> {
    const text = await this.kit.saver.read(resent.place).catch(() => undefined);
    if (!text && this.kept === resent) this.dropCookie();
  }

  /** Where a session could not be ended, its cookie stays, too: the visitor is not to believe it was. */
  private async clearWhenGone({ body, place }: KeptSession): Promise<void> {
    const text = body === undefined ? '' : await this.kit.saver.read(place).catch(() => UNKNOWN);
    if (!text) this.clearCookie();
  }

  toSave(): Promise<void> | undefined {
    const { kept, current, resentFor } = this;
    if (resentFor !== undefined) {
      this.resentFor = undefined;
      if (resentFor === kept) return this.recheck(resentFor);
    }
    if (current === undefined || kept === undefined) return undefined;
    if (!Object.hasOwn(this.req, 'session')) {
      // Destroyed by express-session's own method.
      this.leave();
      return this.clearWhenGone(kept);
    }
    return this.kit.saver.isChanged(kept, current) ? this.save() : undefined;
  }

  cookies(): string[] {
    return cookiesOf(this.res, this.kit.settings.cookieName);
  }

  notSaved(error: unknown): void {
    // No cookie for a session that is not there, and nobody who goes on with it.
    if (this.kept?.body === undefined) this.dropCookie();
    if (error instanceof SessionStoreUnavailableError) this.failure = error;
    this.leave();
    // Express' own way out of a response that fails, which leads on from the route that made it.
    const { req, res } = this;
    const next = req.next ?? this.next;
    const answered = errorHandlerOf(res);
    if (answered === undefined) return next(error);
    // It leads to no error handler twice, as where the answer that was held is a 404, which the log is not to tell any more.
    if ('err' in res) res.err = undefined;
    void answered(error, req, res, next);
  }

  /** From now on the request has no session. */
  leave(): void {
    this.current = undefined;
    this.kept = undefined;
    this.data = undefined;
    this.forgetUser();
    this.isOver = true;
  }

  private forgetUser(): void {
    this.userId = undefined;
    if (this.kit.users !== undefined) this.req.user = undefined;
  }

  sendCookie(): void {
    const { kept, res, kit } = this;
    if (kept === undefined || hasLeft(res)) return;
    const { ids, cookieName, cookie, idleMs, resendMs, absoluteMs, now } = kit.settings;
    const nowMs = now();
    // It lives as long as the session, which a request may renew just before the cookie would be sent again.
    const endsAtMs = Math.min(nowMs + idleMs + resendMs, kept.createdAtMs + absoluteMs);
    const text = cookieText(cookieName, ids.seal(kept.id, nowMs), cookie, new Date(endsAtMs));
    putCookie(res, cookieName, text);
  }

  /** Takes back what this response was to set, and leaves the visitor's own as it is. */
  dropCookie(): void {
    putCookie(this.res, this.kit.settings.cookieName, undefined);
  }

  clearCookie(): void {
    const { cookieName, cookie } = this.kit.settings;
    if (hasLeft(this.res)) return;
    this.hold();
    putCookie(this.res, cookieName, cookieText(cookieName, '', cookie, LONG_AGO));
  }
}
