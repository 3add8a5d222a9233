import { beginsWith, type Paths } from './proxy-paths.js';
import type { ServerAddress } from './server-address.js';

/** What to do with the cookies of the upstream. */
export interface CookieOptions {
  /**
   * Put in place of each `Domain`; `false` leaves it. By default it is taken out, so that the cookie
   * belongs to the host that the client asked.
   */
  domain?: string | false | undefined;
  /** Put in place of each `Path`; `false` leaves it. By default it is translated as a `Location` is. */
  path?: string | false | undefined;
}

/** How the URLs of an answer read from outside. */
export interface Outside {
  address: ServerAddress;
  paths: Paths;
  /** Where the proxy is mounted, such as `/proxy`. */
  mount: string;
}

/** A `Location` as the client has to follow it: the proxy itself never does. */
export function outsideLocation(location: string, { address, paths, mount }: Outside): string {
  const { origin, prefix } = address;
  if (location.startsWith('/') && !location.startsWith('//'))
    return onThisHost(outsidePath(location, prefix, paths, mount));
  const own = [origin, withOtherScheme(origin)].find((each) => isOfOrigin(location, each));
  if (own === undefined) return location;
  const path = location.slice(own.length);
  return onThisHost(outsidePath(path.startsWith('/') ? path : `/${path}`, prefix, paths, mount));
}

/**
 * Without what stood before it, a path may begin with two slashes, and what follows be read as a host (RFC 3986
 * section 4.2). Browsers take a backslash for a slash there, and leave out tabs.
 */
function onThisHost(path: string): string {
  return /^\/\t*[/\\]/.test(path) ? `/.${path}` : path;
}

/**
 * One port speaks one of http and https. A server that has named the other takes it from `X-Forwarded-Proto`. Without a port
 * it may mean another server: many send all who come by http to https.
 */
function withOtherScheme(origin: string): string {
  if (!/:\d+$/.test(origin)) return origin;
  return origin.startsWith('https:') ? origin.replace('https:', 'http:') : origin.replace('http:', 'https:');
}

function isOfOrigin(location: string, origin: string): boolean {
  if (location.slice(0, origin.length).toLowerCase() !== origin) return false;
  const next = location[origin.length];
  return next === undefined || next === '/' || next === '?' || next === '#';
}

/** The upstream may know where it is mounted: what lies below the mount already stays as it is. */
function outsidePath(path: string, prefix: string, paths: Paths, mount: string): string {
  if (mount !== '' && beginsWith(path, mount)) return path;
  const own = beginsWith(path, prefix) ? path.slice(prefix.length) : path;
  const back = paths.back(own.startsWith('/') ? own : `/${own}`);
  return mount + back;
}

/** A `Set-Cookie` as a browser takes it from this host (RFC 6265 section 4.1.2). */
export function outsideCookie(cookie: string, outside: Outside, options: CookieOptions): string {
  const first = cookie.indexOf(';');
  if (first === -1) return cookie;
  const attributes = cookie.slice(first + 1).split(';');
  // Its prefix demands `Path=/` and no Domain (RFC 6265bis section 4.1.3.2).
  const isOfHost = /^\s*__host-/i.test(cookie);
  let text = cookie.slice(0, first);
  for (const attribute of attributes) {
    const kept = isOfHost ? attribute : outsideAttribute(attribute, outside, options);
    if (kept !== undefined) text += `;${kept}`;
  }
  return text;
}

function outsideAttribute(attribute: string, outside: Outside, options: CookieOptions): string | undefined {
  const equals = attribute.indexOf('=');
  if (equals === -1) return attribute;
  const name = attribute.slice(0, equals).trim().toLowerCase();
  if (name === 'domain' && options.domain !== false) {
    return options.domain === undefined ? undefined : ` Domain=${options.domain}`;
  }
  if (name !== 'path' || options.path === false) return attribute;
  if (options.path !== undefined) return ` Path=${options.path}`;
  const path = attribute.slice(equals + 1).trim();
  if (!path.startsWith('/')) return attribute;
  const { address, paths, mount } = outside;
  const translated = outsidePath(path, address.prefix, paths, mount);
  // The mount may have a value of the request's in it, and a semicolon would begin an attribute of its own. Without
  // a path, the cookie belongs to where it was set.
  if (translated.includes(';')) return undefined;
  // `/proxy/` would leave out `/proxy` itself.
  return ` Path=${translated.length > 1 && path === '/' ? translated.replace(/\/$/, '') : translated}`;
}
