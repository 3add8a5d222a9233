import type { Request } from 'express';
import { CacheKey } from './cache-key.js';
import type { KeyFunction } from './key-function.js';

/**
 * Fields by which proxies tell the app what was asked of them, and which apps put into links, redirects and pages.
 * Anybody can send them. They are part of the key where they come, so that who makes one up poisons his own entry.
 */
const FORWARDING = [
  'forwarded',
  'front-end-https',
  'x-forwarded-host',
  'x-forwarded-path',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-forwarded-uri',
  'x-host',
  'x-http-host-override',
  'x-original-host',
  'x-scheme',
  'x-script-name',
  'x-url-scheme',
] as const;

/** Fields that make another request of it: such a request is neither answered from the cache nor kept. */
const OVERRIDES = [
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-url',
] as const;

type Meaning = 'forwarding' | 'override';

const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ...FORWARDING.map((name) => [name, 'forwarding'] as const),
  ...OVERRIDES.map((name) => [name, 'override'] as const),
]);

const F = 102;
const X = 120;

function meaningOf(name: string): Meaning | undefined {
  // None of them begins otherwise, and few fields of a request begin so.
  const first = name.charCodeAt(0);
  if (first !== X && first !== F) return undefined;
  // Behind CGI and WSGI, X_Forwarded_Host and X-Forwarded-Host are one variable.
  return MEANINGS.get(name.includes('_') ? name.replaceAll('_', '-') : name);
}

/** Whether a field, in lower case, makes another request of the one it stands in. */
export function isOverride(name: string): boolean {
  return meaningOf(name) === 'override';
}

/** What `Connection` names in requests that mean no harm (RFC 9110 section 7.6.1). */
const OF_CONNECTIONS = /^(?:close|keep-alive|upgrade|te|http2-settings|[,\s])*$/i;

/** Why a request has no key. */
export type NoKey = 'override' | 'body' | 'target' | 'upgrade' | 'connection' | 'key';

/** What requests are told apart by. */
export interface KeyOptions {
  readonly key: KeyFunction | undefined;
  readonly isPersonal: boolean;
  /** Whether answers are kept for all, whoever asks. */
  readonly isShared: boolean;
  /** Header fields, in lower case, that are part of every key. */
  readonly vary: readonly string[];
}

/**
 * The key of a request: scheme and host, path and query as they came, what proxies said, and what the cache was told
 * to look at. The path is taken literally, so that `/a`, `//a`, `/%61`, `/a;x` and `/a/x.css` are five, whatever the
 * app makes of them.
 */
export function requestKey(req: Request, options: KeyOptions): CacheKey | NoKey {
  const { headers, originalUrl: url } = req;
  // The absolute form (RFC 9112 section 3.2.2) names a host of its own, which the app may take for the one that counts.
  if (url.charCodeAt(0) !== SLASH) return 'target';
  // A GET with a body may be answered by the body.
  if (hasBody(req)) return 'body';
  // Behind a proxy the fields that it names are gone: the answer is none to the request as it is seen here.
  if (headers.connection !== undefined && !OF_CONNECTIONS.test(headers.connection)) return 'connection';
  // It asks for a connection, and not for the page of that URL (RFC 6455 section 4.1).
  if (headers.upgrade !== undefined && /\bwebsocket\b/i.test(headers.upgrade)) return 'upgrade';

  let forwarded = '';
  for (const name in headers) {
    const meaning = meaningOf(name);
    if (meaning === undefined) continue;
    if (meaning === 'override') return 'override';
    const value = String(headers[name]);
    forwarded += `\n${name} ${name === 'forwarded' ? withoutClient(value) : value}`;
  }

  const at = url.indexOf('?');
  const path = at === -1 ? url : url.slice(0, at);
  const scheme = 'encrypted' in req.socket ? 'https' : 'http';
  const host = hostOf(req);
  let text = `${path}\n${at === -1 ? '' : normalQuery(url.slice(at))}\n${scheme}://${host.toLowerCase()}${forwarded}`;
  // The app may look at this one instead.
  if (headers.host !== undefined && headers.host !== host) text += `\nhost ${headers.host}`;

  // Somebody above has changed what is asked for.
  const routed = req.baseUrl === '' ? req.url : req.baseUrl + req.url;
  if (routed !== url && routed !== `${path}/${at === -1 ? '' : url.slice(at)}`) text += `\nurl ${routed}`;
  for (const name of options.vary) text += `\n${name} ${varyValue(name, headers[name])}`;

  // Who may ask is looked at in front of such a cache: another one on the same store does not know of that.
  if (options.isShared) text += '\nshared';
  if (options.key === undefined) return new CacheKey(text, path);
  const own = options.key(req);
  if (own === undefined) return 'key';
  return new CacheKey(`${text}\nkey ${textOf(own)}`, path, options.isPersonal);
}

/** Of a message of HTTP/2. */
type OfHttp2 = Request & { readonly stream?: { readonly endAfterHeaders?: boolean } | undefined };

function hasBody(req: OfHttp2): boolean {
  const { headers } = req;
  const length = headers['content-length'];
  if ((length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined) return true;
  // In HTTP/2 no field need say so (RFC 9113 section 8.1).
  return length === undefined && req.httpVersionMajor === 2 && req.stream?.endAfterHeaders === false;
}

/** The host that is asked: in HTTP/2 another field says it (RFC 9113 section 8.3.1). */
export function hostOf({ headers }: Request): string {
  const authority = headers[':authority'];
  return (typeof authority === 'string' ? authority : headers.host) ?? '';
}

const SLASH = 47;

/** What a key function gave, with lengths, so that no two lists read alike. */
function textOf(own: unknown): string {
  if (typeof own === 'string') return `${own.length} ${own}`;
  if (Array.isArray(own) && own.every((part) => part === undefined || typeof part === 'string')) {
    return own
      .map((part: string | undefined) => (part === undefined ? '-' : `${part.length} ${part}`))
      .join(' ');
  }
  if (own instanceof Promise) own.catch(() => undefined);
  throw new TypeError('cache: "key" must return a string, a list of strings or undefined');
}

const PLAIN_QUERY = /^\?[\w.~=&%+*:@,!$'()/-]*$/;
const PLAIN_NAME = /^[\w-]+$/;

/**
 * The query with its parameters in order of their names: only where no reader, however it splits and merges, could
 * take the two for different questions, so not where a name comes twice or has brackets, dots or escapes in it.
 */
export function normalQuery(query: string): string {
  if (!query.includes('&') || !PLAIN_QUERY.test(query)) return query;
  const seen = new Set<string>();
  const pairs: [name: string, pair: string][] = [];
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const folded = name.toLowerCase();
    if (!PLAIN_NAME.test(name) || seen.has(folded)) return query;
    seen.add(folded);
    pairs.push([name, pair]);
  }
  pairs.sort(([one], [other]) => (one < other ? -1 : 1));
  return `?${pairs.map(([, pair]) => pair).join('&')}`;
}

/** `Forwarded` (RFC 7239) without who asks, which is another one for each visitor. */
function withoutClient(field: string): string {
  return field
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => !/^(?:for|by)=/i.test(pair))
    .join(';');
}

/** Fields whose values are the same in lower case. */
const CASELESS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'accept-charset',
]);

/** A field of a request as variants are told apart by it (RFC 9111 section 4.1): white space around commas is none. */
function varyValue(name: string, value: string | string[] | undefined): string {
  if (value === undefined) return '-';
  const text = (typeof value === 'string' ? value : value.join(',')).trim().replace(/\s*,\s*/g, ',');
  return `"${CASELESS.has(name) ? text.toLowerCase() : text}"`;
}

/** The fields of a request. */
export type Fields = Pick<Request, 'headers'>;

/** The values of several fields, in a form in which no two lists of values look alike. */
export function variantOf(req: Fields, names: readonly string[]): string {
  let text = '';
  for (const name of names) {
    const value = varyValue(name, req.headers[name]);
    text += `${name} ${value.length} ${value}\n`;
  }
  return text;
}
