import type { ServerResponse } from 'node:http';
import type { Field } from './entry.js';
import { isClaim } from './request-fields.js';

/** What stood in a response before the cache let the request through: belongs to that request alone. */
export type Before = ReadonlyMap<string, string | number | readonly string[] | undefined>;

export function fieldsNow(res: ServerResponse): Before {
  const fields = new Map<string, string | number | readonly string[] | undefined>();
  for (const name of res.getHeaderNames()) fields.set(name, ownLines(res.getHeader(name)));
  return fields;
}

/** Several lines of a field as a list of one's own: whoever appends to a field that stands in a response adds to that. */
export function ownLines<Value>(value: Value): Value {
  return Array.isArray(value) ? ([...(value as readonly unknown[])] as Value) : value;
}

/** Whether cookies were set since then. */
export function hasCookiesSince(res: ServerResponse, before: Before): boolean {
  const cookies = res.getHeader('set-cookie');
  return cookies !== undefined && !isSame(cookies, before.get('set-cookie'));
}

/**
 * Fields that belong to one connection (RFC 9111 section 3.1) or to one request, whoever sets them. `age` is worked out
 * anew, and so is what a cache says of itself.
 */
const NEVER_KEPT: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'set-cookie2',
  'age',
  'content-length',
  'cache-status',
  'x-cache',
  'x-request-id',
  'x-correlation-id',
  'x-csrf-token',
  'traceparent',
  'tracestate',
  'server-timing',
  'x-response-time',
  'ratelimit',
  'ratelimit-policy',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
]);

/** What was set below the cache, and may be kept. */
export function fieldsBelow(res: ServerResponse, before: Before, withheld: readonly string[]): Field[] {
  const fields: Field[] = [];
  const ofConnection = String(res.getHeader('connection') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  for (const lower of res.getHeaderNames()) {
    if (NEVER_KEPT.has(lower) || withheld.includes(lower) || ofConnection.includes(lower)) continue;
    const value = res.getHeader(lower);
    if (value === undefined || isSame(value, before.get(lower))) continue;
    fields.push([lower, Array.isArray(value) ? value.map(String) : String(value)]);
  }
  return fields;
}

/** What was taken away below, to be taken away again: fields with no lines. */
export function fieldsTakenAway(res: ServerResponse, before: Before): Field[] {
  const names = [...before.keys()].filter((name) => !NEVER_KEPT.has(name) && !res.hasHeader(name));
  return names.map((name) => [name, []]);
}

function isSame(
  value: string | number | readonly string[],
  before: string | number | readonly string[] | undefined,
): boolean {
  if (value === before) return true;
  if (!Array.isArray(value) || !Array.isArray(before) || value.length !== before.length) return false;
  return value.every((line, index) => line === before[index]);
}

/** Makes the response as it was before the cache let the request through. */
export function restore(res: ServerResponse, before: Before): void {
  for (const name of res.getHeaderNames()) if (!before.has(name)) res.removeHeader(name);
  for (const [name, value] of before) if (value !== undefined) res.setHeader(name, ownLines(value));
}

/** Does so, and leaves the cookies: they are for this client, whatever he is answered. */
export function restoreBesideCookies(res: ServerResponse, before: Before): void {
  const cookies = res.getHeader('set-cookie');
  restore(res, before);
  if (cookies !== undefined) res.setHeader('Set-Cookie', cookies);
}

/** The names in a list such as that of `Vary`, in lower case. */
export function listed(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

interface VaryingCall {
  readonly res: ServerResponse;
  readonly engine: { readonly settings: { readonly keys: { readonly vary: readonly string[] } } };
}

/**
 * The fields of a request that an answer varies by, beside those that its key tells apart. `Origin` that was named above the
 * cache is about the CORS fields set there; those set below make it part of the answer, whether `Vary` says so or not. A
 * credential that was named above is about who asks, which is looked at for each request.
 */
export function varyOf({ res, engine }: VaryingCall, before: Before): string[] {
  const names = new Set(listed(joinedField(res.getHeader('vary')) ?? ''));
  for (const name of listed(joinedField(before.get('vary')) ?? '')) {
    if (name === 'origin' || isClaim(name)) names.delete(name);
  }
  for (const name of engine.settings.keys.vary) names.delete(name);
  const allowed = res.getHeader('access-control-allow-origin');
  if (allowed !== undefined && allowed !== '*' && allowed !== before.get('access-control-allow-origin')) {
    names.add('origin');
  }
  return [...names].toSorted();
}

export function joinedField(value: string | number | readonly string[] | undefined): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  return Array.isArray(value) ? value.join(', ') : String(value);
}
