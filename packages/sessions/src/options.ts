import type { Request } from 'express';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  requireStore,
  wrongOption,
  type Secrets,
} from '@signalbox/options';
import { boundedStore } from './bounded-store.js';
import { deviceOf } from './device.js';
import { memoryStore } from './memory-store.js';
import { sessionIds, type SessionIds } from './session-ids.js';
import type { SessionStore } from './store.js';
import type { LoadUser } from './users.js';

/** How the cookie is named and sent. It is always `HttpOnly`. */
export interface SessionCookieOptions {
  /**
   * Its name. Where it is `Secure`, for the whole host and without `domain`, `__Host-` is put before it, which ties it
   * to this host (RFC 6265bis section 4.1.3.2).
   * @default 'sid'
   */
  name?: string | undefined;
  /** @default '/' */
  path?: string | undefined;
  /** @default none: this host alone */
  domain?: string | undefined;
  /** @default 'lax' */
  sameSite?: 'lax' | 'strict' | 'none' | undefined;
  /** @default `production` */
  secure?: boolean | undefined;
}

export interface SessionsOptions {
  /** One secret or several, newest first, of at least 32 bytes. Cookies of all of them are valid. */
  secrets: Secrets;
  /** @default memoryStore() */
  store?: SessionStore | undefined;
  /**
   * How long a store of the app's own may take for an answer, in milliseconds: then it is one that does not answer, 503
   * `session_store_unavailable`. `memoryStore` answers at once, and `redisStore` within the deadline of its link.
   * @default 5_000
   */
  storeTimeoutMs?: number | undefined;
  /**
   * How long a session lives without a request, in milliseconds.
   * @default 86_400_000 (24 hours)
   */
  idleMs?: number | undefined;
  /**
   * How long a session lives at most, in milliseconds.
   * @default 604_800_000 (7 days)
   */
  absoluteMs?: number | undefined;
  /**
   * How old a cookie is when it is sent again, in milliseconds.
   * @default 900_000 (15 minutes)
   */
  resendMs?: number | undefined;
  cookie?: SessionCookieOptions | undefined;
  /** Sessions that a user may have at once. By default as many as there are. */
  maxPerUser?: number | undefined;
  /**
   * Who gives way when there would be more: the oldest sessions, or the new one, with 403 `too_many_sessions`.
   * @default 'newest'
   */
  onMax?: 'newest' | 'refuse' | undefined;
  /** Finds the user for `req.user`. */
  loadUser?: LoadUser | undefined;
  /** @default 60_000 */
  userCacheMs?: number | undefined;
  /** How long `loadUser` may take, in milliseconds. @default 1_000 */
  loadTimeoutMs?: number | undefined;
  /** How long `lastActivityOf()` remembers, in milliseconds. @default 1_800_000 (30 minutes) */
  activityMs?: number | undefined;
  /**
   * What becomes of a key that two requests change at the same time: the last one counts, or the second is refused
   * with 409 `session_conflict`. `change()` is never refused.
   * @default 'newest'
   */
  onConflict?: 'newest' | 'refuse' | undefined;
  /** Size of a session from which a warning is printed, once. @default 4_096 */
  warnBytes?: number | undefined;
  /** Size of a session that is not saved. @default 65_536 */
  maxBytes?: number | undefined;
  /** Names the device in the list of sessions. By default browser and system, such as `Firefox on Linux`. */
  device?: ((req: Request) => string) | undefined;
  /** @default process.env.NODE_ENV === 'production' */
  production?: boolean | undefined;
  /** The clock, in milliseconds since 1970. @default Date.now */
  now?: (() => number) | undefined;
}

export interface Settings {
  ids: SessionIds;
  store: SessionStore;
  idleMs: number;
  absoluteMs: number;
  resendMs: number;
  cookieName: string;
  cookie: CookieSettings;
  maxPerUser: number;
  onMax: 'newest' | 'refuse';
  loadUser: LoadUser | undefined;
  userCacheMs: number;
  loadTimeoutMs: number;
  activityMs: number;
  isExact: boolean;
  warnBytes: number;
  maxBytes: number;
  device: (req: Request) => string;
  now: () => number;
}

/** As express-session takes it. */
export interface CookieSettings {
  path: string;
  domain?: string;
  httpOnly: true;
  secure: boolean;
  sameSite: 'lax' | 'strict' | 'none';
}

const STORE_METHODS: readonly (keyof SessionStore)[] = ['read', 'create', 'update', 'end', 'list', 'endAll'];

const KNOWN = [
  'secrets',
  'store',
  'storeTimeoutMs',
  'idleMs',
  'absoluteMs',
  'resendMs',
  'cookie',
  'maxPerUser',
  'onMax',
  'loadUser',
  'userCacheMs',
  'loadTimeoutMs',
  'activityMs',
  'onConflict',
  'warnBytes',
  'maxBytes',
  'device',
  'production',
  'now',
];

const DAY_MS = 86_400_000;
/** Redis counts further, but who means this has mistaken the unit. */
const MAX_MS = 10 * 365 * DAY_MS;

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: SessionsOptions): Settings {
  requireObject('sessions', 'options', options);
  refuseUnknownOptions('sessions', options, KNOWN);
  const {
    secrets,
    store = memoryStore(),
    storeTimeoutMs = 5_000,
    idleMs = DAY_MS,
    absoluteMs = 7 * DAY_MS,
    resendMs = 900_000,
    maxPerUser = 0,
    onMax = 'newest',
    loadUser,
    userCacheMs = 60_000,
    loadTimeoutMs = 1_000,
    activityMs = 1_800_000,
    onConflict = 'newest',
    warnBytes = 4_096,
    maxBytes = 65_536,
    device = deviceOf,
    production = process.env['NODE_ENV'] === 'production',
    now = Date.now,
  } = options;

  const ids = sessionIds('sessions', secrets);
  requireStore('sessions', store, STORE_METHODS, ['memoryStore', 'redisStore']);
  requireMilliseconds('sessions', 'storeTimeoutMs', storeTimeoutMs);
  requireInteger('sessions', 'idleMs', idleMs, 1, MAX_MS);
  requireInteger('sessions', 'absoluteMs', absoluteMs, idleMs, MAX_MS);
  requireInteger('sessions', 'resendMs', resendMs, 0, MAX_MS);
  if (options.maxPerUser !== undefined) requireInteger('sessions', 'maxPerUser', maxPerUser, 1);
  requireOneOf('sessions', 'onMax', onMax, ['newest', 'refuse']);
  if (loadUser !== undefined) requireFunction('sessions', 'loadUser', loadUser);
  requireMilliseconds('sessions', 'userCacheMs', userCacheMs, 0);
  requireMilliseconds('sessions', 'loadTimeoutMs', loadTimeoutMs);
  requireMilliseconds('sessions', 'activityMs', activityMs);
  requireOneOf('sessions', 'onConflict', onConflict, ['newest', 'refuse']);
  requireInteger('sessions', 'warnBytes', warnBytes, 1);
  requireInteger('sessions', 'maxBytes', maxBytes, 1);
  requireFunction('sessions', 'device', device);
  requireBoolean('sessions', 'production', production);
  requireFunction('sessions', 'now', now);

  return {
    ...resolveCookie(options.cookie, production),
    ids,
    store: boundedStore(store, storeTimeoutMs),
    idleMs,
    absoluteMs,
    resendMs,
    maxPerUser,
    onMax,
    loadUser,
    userCacheMs,
    loadTimeoutMs,
    activityMs,
    isExact: onConflict === 'refuse',
    warnBytes,
    maxBytes,
    device,
    now,
  };
}

function resolveCookie(
  cookie: SessionCookieOptions = {},
  production: boolean,
): Pick<Settings, 'cookieName' | 'cookie'> {
  requireObject('sessions', 'cookie', cookie);
  refuseUnknownOptions('sessions: "cookie"', cookie, ['name', 'path', 'domain', 'sameSite', 'secure']);
  const { name = 'sid', path = '/', domain, sameSite = 'lax', secure = production } = cookie;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name) || name.startsWith('__')) {
    throw wrongOption('sessions', 'cookie.name', 'letters, digits, - . and _, and not begin with __', name);
  }
  if (typeof path !== 'string' || !/^\/[\w./~-]*$/.test(path)) {
    throw wrongOption('sessions', 'cookie.path', 'a path that begins with /', path);
  }
  if (domain !== undefined && !(typeof domain === 'string' && /^[\w.-]+$/.test(domain))) {
    throw wrongOption('sessions', 'cookie.domain', 'the name of a host', domain);
  }
  requireOneOf('sessions', 'cookie.sameSite', sameSite, ['lax', 'strict', 'none']);
  requireBoolean('sessions', 'cookie.secure', secure);
  if (sameSite === 'none' && !secure) {
    // Browsers drop it otherwise.
    throw wrongOption('sessions', 'cookie.secure', 'true with sameSite "none"', secure);
  }
  const settings: CookieSettings = { path, httpOnly: true, secure, sameSite };
  if (domain !== undefined) settings.domain = domain;
  const isHostOnly = secure && path === '/' && domain === undefined;
  return { cookieName: isHostOnly ? `__Host-${name}` : name, cookie: settings };
}
