import type { ServerResponse } from 'node:http';
import { hasLeft } from '@signalbox/context';
import type { CookieSettings } from './options.js';

/** A visitor may have got the name from several hosts and paths; more are not looked at. */
const MAX_CANDIDATES = 4;

/**
 * What `open` makes of the first cookie of that name that it accepts (RFC 6265 section 4.2). A host beside this one
 * may have set one of the same name, which must not hide the right one.
 */
export function findCookie<Found>(
  header: string,
  name: string,
  open: (value: string) => Found | undefined,
): Found | undefined {
  let from = 0;
  for (let tries = 0; tries < MAX_CANDIDATES; ) {
    const start = header.indexOf(name, from);
    if (start === -1) return undefined;
    const equals = start + name.length;
    from = equals;
    if (header.charCodeAt(equals) !== EQUALS || !isAtStart(header, start)) continue;
    tries += 1;
    const end = header.indexOf(';', equals);
    const value = end === -1 ? header.slice(equals + 1) : header.slice(equals + 1, end);
    const found = open(value.trimEnd());
    if (found !== undefined) return found;
  }
  return undefined;
}

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const SPACE = 0x20;

function isAtStart(header: string, index: number): boolean {
  if (index === 0) return true;
  const before = header.charCodeAt(index - 1);
  return before === SEMICOLON || (before === SPACE && header[index - 2] === ';');
}

/** What a response sets under that name. */
export function cookiesOf(res: ServerResponse, name: string): string[] {
  return allCookiesOf(res).filter((each) => each.startsWith(`${name}=`));
}

function allCookiesOf(res: ServerResponse): string[] {
  return [res.getHeader('Set-Cookie') ?? []].flat().map(String);
}

/** As it stands in `Set-Cookie`. Not by Express' `res.cookie()`, which the handshakes of Socket.IO do not have. */
export function cookieText(
  name: string,
  value: string,
  { path, domain, secure, sameSite }: CookieSettings,
  expires: Date,
): string {
  const attributes = [`Path=${path}`, `Expires=${expires.toUTCString()}`, 'HttpOnly'];
  if (domain !== undefined) attributes.unshift(`Domain=${domain}`);
  if (secure) attributes.push('Secure');
  return [`${name}=${value}`, ...attributes, `SameSite=${SAME_SITE[sameSite]}`].join('; ');
}

const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const;

/** Sets a cookie in the place of one of that name: one response sets a name once (RFC 6265 section 4.1.1). */
export function putCookie(res: ServerResponse, name: string, cookie: string | undefined): void {
  if (hasLeft(res)) return;
  const cookies = allCookiesOf(res);
  const others = cookies.filter((each) => !each.startsWith(`${name}=`));
  if (cookie !== undefined) others.push(cookie);
  if (others.length > 0) res.setHeader('Set-Cookie', others);
  else if (cookies.length > 0) res.removeHeader('Set-Cookie');
}
