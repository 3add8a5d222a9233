import { isIP } from 'node:net';
import type { z } from 'zod';
import { listEntries, setting, strictNumber, textSetting, Wrong } from './setting.js';

/** Options of {@link url}. */
export interface UrlOptions {
  /** Schemes that are allowed, without the colon: `['redis', 'rediss', 'unix']`. By default any. */
  protocols?: readonly string[] | undefined;
}

/**
 * A URL with a scheme and `//`, kept as the text that it was. Several hosts with commas between them, as in
 * `redis+sentinel://h1:26379,h2:26379/name`, are fine.
 */
export function url(options: UrlOptions = {}): z.ZodType<string> {
  const { protocols } = options;
  for (const protocol of protocols ?? []) {
    if (/^[a-z][a-z0-9+.-]*$/.test(protocol)) continue;
    throw new TypeError(`url: "protocols" must be schemes without a colon, got "${protocol}"`);
  }
  const wanted =
    protocols === undefined
      ? 'a URL such as https://example.org'
      : `a URL that begins with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}`;
  return textSetting({ wanted }, (value) => (isUrl(value, protocols) ? value : undefined));
}

function isUrl(text: string, protocols: readonly string[] | undefined): boolean {
  // "localhost:6379" is a URL to the parser, of the scheme "localhost": the slashes are asked for.
  const parts = /^([a-z][a-z0-9+.-]*):\/\/((?:[^/?#]*@)?)([^/?#@]*)(.*)$/is.exec(text);
  if (parts === null || /[\s\p{Cc}]/u.test(text)) return false;
  const [, scheme = '', user = '', hosts = '', rest = ''] = parts;
  if (protocols !== undefined && !protocols.includes(scheme.toLowerCase())) return false;
  return hosts.split(',').every((host) => isParsable(`${scheme}://${user}${host}${rest}`));
}

/**
 * Addresses and ranges of addresses with commas between them: `127.0.0.0/8, ::1`. A range may be any that
 * `net.BlockList` takes; an IPv6 zone (`%eth0`) may not be part of it.
 */
export function cidrs(): z.ZodType<string[]> {
  const about = { wanted: 'addresses or ranges such as 10.0.0.0/8, ::1', list: true };
  return setting(about, (value) => {
    const entries = listEntries(value);
    if (entries === undefined) return new Wrong(`must be ${about.wanted}`);
    const odd = entries.find((entry) => !isRange(entry));
    return odd === undefined
      ? entries
      : new Wrong(`must be ${about.wanted}; ${JSON.stringify(odd)} is neither`);
  });
}

function isRange(entry: string): boolean {
  const [address = '', prefixText, ...more] = entry.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0 || more.length > 0) return false;
  if (prefixText === undefined) return true;
  const prefix = strictNumber(prefixText);
  return (
    prefix !== undefined && Number.isInteger(prefix) && prefix >= 0 && prefix <= (family === 4 ? 32 : 128)
  );
}

/**
 * Origins of web pages with commas between them, as browsers send them: `https://app.example.com`,
 * `http://localhost:5173`. `https://*.example.org` stands for every subdomain. Upper case and a default port
 * are brought into the browsers' form.
 */
export function origins(): z.ZodType<string[]> {
  const about = { wanted: 'origins such as https://app.example.com or https://*.example.org', list: true };
  return setting(about, (value) => {
    const entries = listEntries(value);
    if (entries === undefined) return new Wrong(`must be ${about.wanted}`);
    const found: string[] = [];
    for (const entry of entries) {
      const origin = toOrigin(entry);
      if (origin === undefined) return new Wrong(`must be ${about.wanted}; ${oddOrigin(entry)}`);
      found.push(origin);
    }
    return found;
  });
}

const WILDCARD = /^(https?:\/\/)\*\.(?=[^*]+\.[^*]+$)/i;

function toOrigin(entry: string): string | undefined {
  const host = entry.replace(WILDCARD, '$1');
  if (!/^https?:\/\/[^/?#@*\s\\]+$/i.test(host) || !isParsable(host)) return undefined;
  const { origin } = new URL(host);
  return host === entry ? origin : origin.replace('://', '://*.');
}

function oddOrigin(entry: string): string {
  // What stands before an @ may be a password.
  if (entry.includes('@')) return 'an origin has no user or password';
  const shown = JSON.stringify(entry);
  if (/^https?:\/\/[^/]+\/$/i.test(entry)) return `${shown} ends in a slash, which an origin does not`;
  if (/^https?:\/\/[^/]+\/./i.test(entry)) return `${shown} has a path, which an origin has not`;
  return `${shown} is not one`;
}

/** Not `URL.canParse`: that of Node 20 and 22 says no to letters such as `ü` once it has been called some thousand times. */
function isParsable(text: string): boolean {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}
