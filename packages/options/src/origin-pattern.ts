import { parsedUrl } from './parsed-url.js';
import { shown } from './wrong-option.js';

/** An origin that was written down: one, or with a wildcard every host below one. */
export interface OriginPattern {
  /** In the form that browsers send: lower case, punycode, no default port. The wildcard is left out. */
  readonly origin: string;
  readonly isWildcard: boolean;
}

const HOST = /^(?:\[[\da-f:.]+\]|[a-z\d_-]+(?:\.[a-z\d_-]+)*)$/;

/**
 * Reads an origin such as `https://app.example.com` or `https://*.example.org`.
 *
 * @param at the beginning of an error message, such as `cors: "origins"`
 * @param production whether plain http is refused for all but this machine
 * @throws {TypeError} with what is wrong about it
 */
export function originPattern(entry: unknown, at: string, production: boolean): OriginPattern {
  const refuse = (reason: string): never => {
    throw new TypeError(`${at} must be origins such as https://app.example.com; ${reason}`);
  };
  if (typeof entry !== 'string') return refuse(`got ${shown(entry)}`);
  const reason = faultOf(entry);
  if (reason !== undefined) return refuse(reason);

  const isWildcard = /^https?:\/\/\*\./i.test(entry);
  const written = isWildcard ? entry.replace('*.', '') : entry;
  const url = parsedUrl(written);
  if (url === undefined) return refuse(`${shown(entry)} has a host or port that cannot be`);
  const { origin, protocol, hostname, port } = url;

  if (hostname.endsWith('.')) return refuse(`${shown(entry)} ends in a dot, which makes it another host`);
  if (!HOST.test(hostname)) return refuse(`${shown(entry)} has a host that cannot be`);
  if (port === '0') return refuse(`${shown(entry)} has a port that cannot be`);
  if (isWildcard && /^(\[|[\d.]+$)/.test(hostname)) return refuse(`${shown(entry)} is a part of an address`);
  if (isWildcard && !hostname.includes('.') && hostname !== 'localhost') {
    return refuse(`${shown(entry)} would be everybody below ".${hostname}"`);
  }
  if (production && protocol === 'http:' && !isLoopback(hostname)) {
    return refuse(`${shown(entry)} is not https, so that anybody on the way can be it`);
  }
  return { origin, isWildcard };
}

/** What is wrong with it as a text, or `undefined`. */
function faultOf(entry: string): string | undefined {
  // What stands before an @ may be a password: it is not shown.
  if (entry.includes('@')) return 'an origin has no user or password';
  if (entry === 'null') return '"null" is any sandboxed page, of whomever';
  if (entry === '*') return '"*" is allowed only by itself, as a text and not in a list';
  if (!/^https?:\/\//i.test(entry)) {
    return `${shown(entry)} does not begin with https://${/^[a-z][a-z\d+.-]*:\/\//i.test(entry) ? ' (for another scheme give a function)' : ''}`;
  }
  const [, rest = ''] = entry.split('://', 2);
  if (/[\s\\\p{Cc}]/u.test(entry) || rest === '') return `${shown(entry)} is none`;
  if (rest.endsWith('/') && rest.indexOf('/') === rest.length - 1) return `${shown(entry)} ends in a slash`;
  if (/[/?#]/.test(rest) || entry.split('://').length > 2)
    return `${shown(entry)} has more than scheme, host and port`;
  if (rest.replace(/^\*\./, '').includes('*')) {
    return `${shown(entry)} has a wildcard elsewhere than in place of whole subdomains, as in https://*.example.org`;
  }
  return undefined;
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
