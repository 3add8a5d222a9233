import { isIP } from 'node:net';
import { parsedUrl, wrongOption } from '@signalbox/options';
import { isPublicAddress } from './public-address.js';

/** The targets that may be chosen by a request. */
export interface AllowList {
  /** Whether this origin may be a target: `listed` itself, by a wildcard or another rule (`matched`), or not. */
  judge(url: URL): 'listed' | 'matched' | 'refused';
}

const ENTRY = /^(https?):\/\/(\*\.)?([^/?#@*]+)$/;

/** @throws {TypeError} when an entry is no origin */
export function allowList(owner: string, option: string, entries: unknown): AllowList {
  if (entries === 'public') return { judge: (url) => (isPublicTarget(url) ? 'matched' : 'refused') };
  if (!Array.isArray(entries) || entries.length === 0) {
    throw wrongOption(owner, option, 'a list of origins or "public", where "to" is a function', entries);
  }
  const exact = new Set<string>();
  const wildcards: { protocol: string; port: string; domain: string }[] = [];
  for (const entry of entries as readonly unknown[]) {
    const [, scheme = '', star, host = ''] = (typeof entry === 'string' ? ENTRY.exec(entry) : null) ?? [];
    const url = parsedUrl(`${scheme}://${host}`);
    if (url === undefined) {
      throw wrongOption(owner, option, 'a list of origins such as "https://*.example.org"', entry);
    }
    if (star === undefined) exact.add(url.origin);
    else wildcards.push({ protocol: url.protocol, port: url.port, domain: `.${url.hostname}` });
  }
  return {
    judge(url) {
      if (exact.has(url.origin)) return 'listed';
      const fits = wildcards.some(
        ({ protocol, port, domain }) =>
          url.protocol === protocol && url.port === port && url.hostname.endsWith(domain),
      );
      return fits ? 'matched' : 'refused';
    },
  };
}

/** Other ports are other services: of mail, of databases. */
function isPublicTarget(url: URL): boolean {
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.port === '';
}

/** The address that a URL names instead of a host; `undefined` for a name. */
function literalAddress(url: URL): string | undefined {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return isIP(host) === 0 ? undefined : host;
}

export function isPrivateLiteral(url: URL): boolean {
  const address = literalAddress(url);
  return address !== undefined && !isPublicAddress(address);
}
