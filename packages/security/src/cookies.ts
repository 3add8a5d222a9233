import type { Response } from 'express';

/**
 * The first cookie of that name in a `Cookie` field (RFC 6265 section 4.2), as it was sent. Enough for values that
 * need no decoding; what cannot be read is no cookie.
 */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** Takes back a cookie of this response: one response sets a name once (RFC 6265 section 4.1.1). */
export function unsetCookie(res: Response, name: string): void {
  const cookies = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
  const others = cookies.filter((cookie) => !cookie.startsWith(`${name}=`));
  if (others.length === cookies.length) return;
  if (others.length > 0) res.setHeader('Set-Cookie', others);
  else res.removeHeader('Set-Cookie');
}
