import type { Request, RequestHandler } from 'express';
import { requireMilliseconds, wrongOption } from '@signalbox/options';
import { ROLE, SCOPE } from './words.js';
import { whyNobody } from './doubt.js';
import type { Authenticated } from './methods.js';
import { InsufficientRoleError, InsufficientScopeError, StaleAuthenticationError } from './refusals.js';

/**
 * Who asks, for handlers behind `authenticate()`.
 *
 * @throws {AuthenticationRequiredError} 401 where nobody is signed in
 *
 * @example
 * app.get('/me', (req, res) => res.json({ id: principalOf(req).subject }));
 */
export function principalOf(req: Request): Authenticated {
  const { auth } = req;
  if (auth === undefined) throw whyNobody(req);
  return auth;
}

/**
 * Only for who is signed in: on routes behind an `authenticate()` that is `optional`.
 *
 * @example
 * app.get('/account', requirePrincipal(), showAccount);
 */
export function requirePrincipal(): RequestHandler {
  return function requirePrincipalMiddleware(req, _res, next) {
    next(req.auth === undefined ? whyNobody(req) : undefined);
  };
}

/**
 * Only for who has one of these roles: else 403 `insufficient_role`, and 401 for who is not signed in.
 *
 * @throws {TypeError} when there is none, or one is no word
 *
 * @example
 * type Role = 'admin' | 'editor';
 * app.use('/admin', requireRole<Role>('admin'));
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- for the caller to name the roles there are
export function requireRole<Role extends string = string>(...roles: readonly Role[]): RequestHandler {
  requireWords('requireRole', 'roles', roles, ROLE);

  return function requireRoleMiddleware(req, _res, next) {
    const { auth } = req;
    if (auth === undefined) return next(whyNobody(req));
    for (const role of roles) {
      if (auth.roles.includes(role)) return next();
    }
    next(new InsufficientRoleError(roles));
  };
}

/**
 * Only for who has all of these scopes: else 403 `insufficient_scope` (RFC 6750 section 3.1), and 401 for who is not
 * signed in.
 *
 * @throws {TypeError} when there is none, or one is no word
 *
 * @example
 * app.get('/api/v1/search', requireScope('search'), search);
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- for the caller to name the scopes there are
export function requireScope<Scope extends string = string>(...scopes: readonly Scope[]): RequestHandler {
  requireWords('requireScope', 'scopes', scopes, SCOPE);

  return function requireScopeMiddleware(req, _res, next) {
    const { auth } = req;
    if (auth === undefined) return next(whyNobody(req));
    for (const scope of scopes) {
      if (!auth.scopes.includes(scope)) return next(new InsufficientScopeError(scopes));
    }
    next();
  };
}

/**
 * Only for who has signed in lately, as before a password is changed: else 401 `insufficient_user_authentication`
 * (RFC 9470). Refreshing a token is no sign-in, and an API key is none either.
 *
 * @param maxAgeMs how long ago the sign-in may be, in milliseconds
 * @throws {TypeError} when it is no whole number of milliseconds
 *
 * @example
 * app.post('/auth/password', requireFresh(10 * 60_000), changePassword);
 */
export function requireFresh(maxAgeMs: number): RequestHandler {
  requireMilliseconds('requireFresh', 'maxAgeMs', maxAgeMs);
  const maxAgeSeconds = Math.ceil(maxAgeMs / 1_000);

  return function requireFreshMiddleware(req, _res, next) {
    const { auth } = req;
    if (auth === undefined) return next(whyNobody(req));
    const { authenticatedAtMs } = auth;
    const isFresh = authenticatedAtMs !== undefined && Date.now() - authenticatedAtMs <= maxAgeMs;
    next(isFresh ? undefined : new StaleAuthenticationError(maxAgeSeconds));
  };
}

function requireWords(owner: string, option: string, words: readonly unknown[], shape: RegExp): void {
  if (words.length === 0) throw new TypeError(`${owner}: "${option}" must be one word or more, got none`);
  for (const word of words) {
    if (typeof word === 'string' && shape.test(word)) continue;
    throw wrongOption(owner, option, shape === SCOPE ? 'words without spaces and quotes' : 'words', word);
  }
}
