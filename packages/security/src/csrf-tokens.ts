import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sayPrivate } from '@signalbox/context';
import { doubleCsrf } from 'csrf-csrf';
import type { Request, Response } from 'express';
import { cookieOf, unsetCookie } from './cookies.js';
import type { ResolvedCsrf } from './csrf-options.js';
import type { CsrfCheck } from './errors.js';

/** Tokens of csrf-csrf for one scheme: https and http differ in the cookies that are possible. */
export interface CsrfTokens {
  /** A token for this visitor; the same while it is valid, unless a fresh one is asked for. */
  issue(req: Request, res: Response, fresh: boolean): string;
  /** The check that the request's token fails, or `undefined`. */
  fault(req: Request): CsrfCheck | undefined;
}

const NONCE = /^[\w-]{22}$/;

export function csrfTokens(options: ResolvedCsrf, secure: boolean): CsrfTokens {
  const { keys, session, sameSite } = options;
  const cookieName = secure ? `__Host-${options.name}` : options.name;
  const nonceName = `${cookieName}-id`;
  const cookieOptions = { httpOnly: true, secure, sameSite, path: '/' } as const;
  /** What this response has set, for those who ask after that. */
  const set = new WeakMap<Request, { token?: string; nonce?: string }>();

  const tokenCookie = (req: Request): string | undefined =>
    set.get(req)?.token ?? cookieOf(req.headers.cookie, cookieName);
  const nonceCookie = (req: Request): string | undefined => {
    const nonce = set.get(req)?.nonce ?? cookieOf(req.headers.cookie, nonceName);
    return nonce !== undefined && NONCE.test(nonce) ? nonce : undefined;
  };
  /** The two kinds never meet: a visitor who knows a session's id cannot make it a nonce. */
  const boundTo = (req: Request): string | undefined => {
    const id = session(req);
    if (id !== undefined) return `session:${id}`;
    const nonce = nonceCookie(req);
    return nonce === undefined ? undefined : `nonce:${nonce}`;
  };

  const { generateCsrfToken, validateRequest } = doubleCsrf({
    getSecret: () => keys,
    getSessionIdentifier: (req) => boundTo(originalOf(req)) ?? '',
    getCsrfTokenFromRequest: (req) => sentToken(req),
    cookieName,
    cookieOptions,
  });

  return {
    issue(req, res, fresh) {
      const issued = set.get(req) ?? {};
      set.set(req, issued);
      // The page that it is written into is for this visitor alone.
      sayPrivate(res);
      if (session(req) === undefined && (fresh || nonceCookie(req) === undefined)) {
        issued.nonce = randomBytes(16).toString('base64url');
        unsetCookie(res, nonceName);
        res.cookie(nonceName, issued.nonce, cookieOptions);
      }
      unsetCookie(res, cookieName);
      const token = generateCsrfToken(withCookie(req, cookieName, tokenCookie(req)), res, {
        overwrite: fresh,
      });
      issued.token = token;
      return token;
    },

    fault(req) {
      const sent = sentToken(req);
      if (sent === undefined) return 'token_missing';
      const cookie = tokenCookie(req);
      if (cookie === undefined) return 'cookie_missing';
      if (!isSame(sent, cookie)) return 'token_mismatch';
      if (boundTo(req) === undefined) return 'token_invalid';
      // csrf-csrf compares its signature letter by letter. It is over the asker's own session: how long that takes
      // says nothing about the token of another.
      return validateRequest(withCookie(req, cookieName, cookie)) ? undefined : 'token_invalid';
    },
  };
}

function sentToken(req: Request): string | undefined {
  const header = req.headers['x-csrf-token'];
  if (typeof header === 'string') return header;
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, '_csrf')) return undefined;
  const { _csrf: field } = body as { _csrf: unknown };
  return typeof field === 'string' ? field : undefined;
}

const originals = new WeakMap<Request, Request>();

/**
 * csrf-csrf reads `req.cookies`, which is cookie-parser's: it gets a view of the request that has its cookie there,
 * and the request stays as it is.
 */
function withCookie(req: Request, name: string, value: string | undefined): Request {
  const cookies = value === undefined ? {} : { [name]: value };
  const view = Object.create(req, { cookies: { value: cookies } }) as Request;
  originals.set(view, req);
  return view;
}

function originalOf(view: Request): Request {
  return originals.get(view) ?? view;
}

/** In constant time, whatever the lengths. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
