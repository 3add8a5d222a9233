import type { Request } from 'express';
import { TokenError } from './errors.js';
import { RepeatedAuthorizationError } from './refusals.js';

/** The scheme, however it is written (RFC 9110 section 11.1), and what stands behind at least one space. */
const BEARER = /^bearer(?:[ \t]+|$)/i;

/**
 * The credential behind `Bearer`; `undefined` without the field, and for other schemes, which are not ours to judge.
 * A token in the query or the body is never read: it would be in logs, histories and referrers (RFC 9700 section 4.3.2).
 *
 * @throws {TokenError} when nothing stands behind `Bearer`
 * @throws {RepeatedAuthorizationError} when the field came twice
 */
export function bearerCredential(req: Request): string | undefined {
  const field = req.headers.authorization;
  if (field === undefined) return undefined;
  // Node keeps the first one. A proxy may have looked at the other.
  if (isRepeated(req.rawHeaders)) throw new RepeatedAuthorizationError();

  // What nearly all send; without a space there.
  const token =
    field.startsWith('Bearer ') && field.charCodeAt(7) > 32 ? field.slice(7) : bearerOfAnySpelling(field);
  if (token === '') throw new TokenError('invalid_token', 'missing');
  return token;
}

function bearerOfAnySpelling(field: string): string | undefined {
  const start = BEARER.exec(field)?.[0];
  return start === undefined ? undefined : field.slice(start.length);
}

function isRepeated(rawHeaders: readonly string[]): boolean {
  let times = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === 13 && name.toLowerCase() === 'authorization') times += 1;
  }
  return times > 1;
}
