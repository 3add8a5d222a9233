import { signals } from '@signalbox/signals';
import type { Request, RequestHandler, Response } from 'express';
import { resolveCsrfOptions, type CsrfOptions } from './csrf-options.js';
import { csrfTokens, type CsrfTokens } from './csrf-tokens.js';
import { CsrfError, type CsrfCheck } from './errors.js';

/** The middleware, and what issues tokens for it. */
export interface Csrf extends RequestHandler {
  /** The token of this visitor, for a form or a script; sets its cookies. The same while it is valid. */
  token(req: Request, res: Response): string;
  /** A fresh token. Call it at sign-in, after the session has its new id: whatever was issued before is dead. */
  rotate(req: Request, res: Response): string;
  /** A handler that answers `{ csrfToken }`, for `GET /auth/csrf`. */
  route(): RequestHandler;
}

// RFC 9110 section 9.2.1: they change nothing.
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Refuses requests that another site makes in the visitor's name, in this order: a browser says that the request is
 * of the app's own pages, or its `Origin` is the app's or is listed: pass. It says anything else: 403 `csrf_failed`.
 * No browser and no cookie: pass, there is nothing to forge. Whatever is left needs a token.
 *
 * The token is csrf-csrf's signed double submit, in the field `X-CSRF-Token` or in `_csrf` of a parsed body. It is
 * bound to the session, or before there is one to a cookie of its own.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const forgery = csrf({ secrets: SECRET_KEYS, publicUrl: 'https://app.example.com' });
 * app.use(forgery);
 * app.get('/auth/csrf', forgery.route());
 */
export function csrf(options: CsrfOptions): Csrf {
  const resolved = resolveCsrfOptions(options);
  const { ownOrigin, origins } = resolved;
  const [https, http] = [csrfTokens(resolved, true), csrfTokens(resolved, false)];
  const tokens = (): CsrfTokens => (ownOrigin()?.startsWith('https:') === true ? https : http);

  const faultOf = (req: Request): CsrfCheck | undefined => {
    const site = req.headers['sec-fetch-site'];
    if (site === 'same-origin' || site === 'none') return undefined;
    const { origin } = req.headers;
    if (origin !== undefined && (origin === ownOrigin() || origins.has(origin))) return undefined;
    // `null` is what a form under `Referrer-Policy: no-referrer` sends, even to its own site: it says nothing.
    if (site !== undefined || (origin !== undefined && origin !== 'null')) return 'cross_site';
    if (isOfNoBrowser(req)) return undefined;
    return tokens().fault(req);
  };

  const middleware: RequestHandler = function csrfMiddleware(req, _res, next) {
    if (SAFE.has(req.method)) return next();
    const check = faultOf(req);
    if (check === undefined) return next();
    if (signals.securityFinding.hasSubscribers) {
      signals.securityFinding.publish({ kind: 'csrf', rule: check, enforced: true });
    }
    next(new CsrfError(check));
  };

  const token = (req: Request, res: Response): string => tokens().issue(req, res, false);
  return Object.assign(middleware, {
    token,
    rotate: (req: Request, res: Response) => tokens().issue(req, res, true),
    route: (): RequestHandler =>
      function csrfTokenHandler(req, res) {
        res.set('Cache-Control', 'no-store');
        res.json({ csrfToken: token(req, res) });
      },
  });
}

/** `Sec-Fetch-Mode` says nothing: Node's own fetch sends it as well. */
function isOfNoBrowser({ headers: { cookie, origin, referer } }: Request): boolean {
  return cookie === undefined && origin === undefined && referer === undefined;
}
