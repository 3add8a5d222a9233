import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';

const HEADERS = ['Content-Security-Policy', 'Content-Security-Policy-Report-Only'];
const nonces = new WeakMap<ServerResponse, string>();

/**
 * A nonce for the inline scripts and styles of this page, which its Content-Security-Policy then lets through.
 * The same for the whole response; a page without one costs nothing. A page with one must not be kept by a cache.
 *
 * @throws {Error} when the headers were sent already, for the policy went with them
 *
 * @example
 * res.send(`<script nonce="${cspNonce(res)}">start()</script>`);
 */
export function cspNonce(res: ServerResponse): string {
  const known = nonces.get(res);
  if (known !== undefined) return known;
  if (res.headersSent) throw new Error('cspNonce: the headers were sent already, and the policy with them');

  // CSP Level 3 section 2.3.1: at least 128 bits, from a good source.
  const nonce = randomBytes(16).toString('base64');
  nonces.set(res, nonce);
  for (const header of HEADERS) {
    const policy = res.getHeader(header);
    if (typeof policy === 'string') res.setHeader(header, withNonce(policy, `'nonce-${nonce}'`));
  }
  return nonce;
}

function withNonce(policy: string, source: string): string {
  const directives = policy.split(';').map((directive) => directive.trim().split(/\s+/));
  const of = (name: string): string[] | undefined => directives.find((directive) => directive[0] === name);

  for (const kind of ['script', 'style']) {
    // Where no directive speaks of them, `default-src` does, for all else as well.
    if (of(`${kind}-src`) === undefined) {
      const [, ...sources] = of('default-src') ?? [];
      if (sources.length > 0) directives.push([`${kind}-src`, ...sources]);
    }
    for (const name of [`${kind}-src`, `${kind}-src-elem`]) {
      const directive = of(name);
      // Beside a nonce browsers ignore 'unsafe-inline': what it lets through now would be refused.
      if (directive === undefined || directive.includes("'unsafe-inline'")) continue;
      const none = directive.indexOf("'none'");
      if (none === -1) directive.push(source);
      else directive[none] = source;
    }
  }
  return directives.map((directive) => directive.join(' ')).join(';');
}
