import { createHash } from 'node:crypto';
import { refuseUnknownOptions, requireObject, wrongOption } from '@signalbox/options';
import type { CookieOptions } from './proxy-answer-urls.js';
import type { ServerAddress } from './server-address.js';

const OWNER = 'proxy';
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** @throws {TypeError} when it is neither a function nor a map of paths */
export function requireRewrite(rewrite: unknown): void {
  if (rewrite === undefined || typeof rewrite === 'function') return;
  requireObject(OWNER, 'rewrite', rewrite);
  for (const [from, to] of Object.entries(rewrite)) {
    if (!from.startsWith('/'))
      throw wrongOption(OWNER, 'rewrite', 'a function, or of paths that begin with "/"', from);
    const isPath = typeof to === 'string' && (to === '' || to.startsWith('/'));
    if (!isPath) throw wrongOption(OWNER, `rewrite.${from}`, 'a path that begins with "/", or ""', to);
  }
}

/** @throws {TypeError} naming the bad option */
export function requireCookies(cookies: CookieOptions): void {
  requireObject(OWNER, 'cookies', cookies);
  refuseUnknownOptions('proxy: "cookies"', cookies, ['domain', 'path']);
  for (const [option, value] of Object.entries(cookies) as [string, unknown][]) {
    if (value === undefined || value === false) continue;
    // A semicolon would begin an attribute of its own.
    const isPlain = typeof value === 'string' && /^[^;\p{Cc}]+$/u.test(value);
    if (!isPlain) throw wrongOption(OWNER, `cookies.${option}`, 'text without ";", or false', value);
  }
}

/** @throws {TypeError} when it is no list of names of fields, or of their beginnings with `*` */
export function requireFieldNames(option: string, names: unknown): asserts names is readonly string[] {
  const isList = Array.isArray(names) && names.every((name) => typeof name === 'string' && TOKEN.test(name));
  if (!isList) throw wrongOption(OWNER, option, 'a list of field names', names);
}

/**
 * The name of this proxy in `Via`. By default the same in every process that has these targets, and another
 * one for a proxy with others.
 *
 * @throws {TypeError} when it is given, and no token
 */
export function pseudonymOf(
  via: unknown,
  addresses: readonly ServerAddress[],
  allow: readonly string[] | 'public' | undefined,
): string {
  if (via === undefined) {
    const targets =
      allow === undefined
        ? addresses.map(({ origin, prefix }) => origin + prefix).join()
        : JSON.stringify(allow);
    return `signalbox-${createHash('sha256').update(targets).digest('hex').slice(0, 12)}`;
  }
  if (typeof via !== 'string' || !TOKEN.test(via)) throw wrongOption(OWNER, 'via', 'a token', via);
  return via;
}
