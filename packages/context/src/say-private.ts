import type { ServerResponse } from 'node:http';
import { changedFields } from './response-head.js';

/** Caches that know one of these ask no `Cache-Control` (RFC 9213 section 2.2). */
const TARGETED: ReadonlySet<string> = new Set([
  'cdn-cache-control',
  'cloudflare-cdn-cache-control',
  'vercel-cdn-cache-control',
  'surrogate-control',
]);
const FOR_ALL = /(?:^|,)\s*(?:public|s-maxage\s*=[^,]*?)\s*(?=,|$)/gi;

/**
 * Says that an answer is for one visitor alone (RFC 9111 section 5.2.2.7), whatever it said before: how long that one may
 * keep it stays.
 */
export function sayPrivate(res: ServerResponse): void {
  for (const name of TARGETED) if (res.hasHeader(name)) res.removeHeader(name);
  const stated = [res.getHeader('Cache-Control') ?? []].flat().join(', ');
  const control = privately(stated);
  if (control !== stated) res.setHeader('Cache-Control', control);
}

/** Fields as `writeHead` takes them, that say so. */
export function privateFields(fields: object): object {
  return changedFields(fields, (name, value) => {
    if (TARGETED.has(name)) return undefined;
    return name === 'cache-control' ? privately([value].flat().join(', ')) : value;
  });
}

function privately(control: string): string {
  if (/\b(?:private|no-store)\b(?!\s*=)/i.test(control)) return control;
  const others = control.replace(FOR_ALL, '').replace(/^[\s,]+/, '');
  return others === '' ? 'private' : `private, ${others}`;
}
