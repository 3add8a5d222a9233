import { createHmac } from 'node:crypto';
import { routeTemplate } from '@signalbox/context';
import type { Request } from 'express';

/** A String of RFC 9651 section 3.3.3, as the draft has it, without escapes. */
const QUOTED = /^"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"$/;
/** What most clients send: the same without the quotes, as far as that cannot be several. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,255}$/;

/** The key in an `Idempotency-Key` field, quoted or not; `undefined` where it is none. */
export function idempotencyKey(field: string): string | undefined {
  return QUOTED.exec(field)?.[1] ?? (BARE.test(field) ? field : undefined);
}

/** Under which the store knows the key: of one caller, for one route. */
export function requestId(secret: Buffer, scope: string, key: string, req: Request): string {
  const route = `${req.method} ${routeTemplate(req) ?? pathOf(req)}`;
  // As JSON, so that no part can end in the next one.
  return createHmac('sha256', secret)
    .update(JSON.stringify([scope, route, key]))
    .digest('base64url');
}

/** A digest of what is asked, to tell a repetition from another request. */
export function fingerprintOf(secret: Buffer, req: Request): string {
  const digest = createHmac('sha256', secret).update(
    JSON.stringify([req.method, req.originalUrl, contentTypeOf(req)]),
  );
  return digest.update(bodyOf(req)).digest('base64url');
}

/** Of a form without its boundary, which clients make up anew for each try. */
function contentTypeOf({ headers }: Request): string {
  return (headers['content-type'] ?? '').replace(/;\s*boundary=(?:"[^"]*"|[^;"]*)/i, '');
}

function bodyOf(req: Request): string | Uint8Array {
  const body: unknown = req.body;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  // Not parsed (yet): its length is what is known of it.
  if (body === undefined) return `length ${req.headers['content-length'] ?? ''}`;
  try {
    return JSON.stringify(body) ?? '';
  } catch {
    return `length ${req.headers['content-length'] ?? ''}`;
  }
}

function pathOf({ originalUrl }: Request): string {
  const query = originalUrl.indexOf('?');
  return query === -1 ? originalUrl : originalUrl.slice(0, query);
}
