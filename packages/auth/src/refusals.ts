import { BadRequestError, ForbiddenError, UnauthorizedError } from '@signalbox/errors';

/** Nobody has signed in: 401 `authentication_required`, with the bare challenge of RFC 6750 section 3.1. */
export class AuthenticationRequiredError extends UnauthorizedError {
  constructor() {
    super('Sign in first', { code: 'authentication_required', headers: BARE_CHALLENGE });
  }
}

const BARE_CHALLENGE = Object.freeze({ 'WWW-Authenticate': 'Bearer' });

/** Two credentials of one request name different people: 401 `conflicting_credentials`. */
export class ConflictingCredentialsError extends UnauthorizedError {
  constructor() {
    super('The credentials of the request belong to different subjects', {
      code: 'conflicting_credentials',
      headers: CONFLICT_CHALLENGE,
    });
  }
}

const CONFLICT_CHALLENGE = Object.freeze({
  'WWW-Authenticate':
    'Bearer error="invalid_token", error_description="The credentials contradict each other"',
});

/** The header field came more than once: 400 `invalid_request` (RFC 6750 section 3.1). */
export class RepeatedAuthorizationError extends BadRequestError {
  constructor() {
    super('The request has more than one Authorization field', {
      code: 'invalid_request',
      headers: REPEATED_CHALLENGE,
    });
  }
}

const REPEATED_CHALLENGE = Object.freeze({
  'WWW-Authenticate': 'Bearer error="invalid_request", error_description="More than one Authorization field"',
});

/** 403 `insufficient_scope`: who asks may not do this (RFC 6750 section 3.1). */
export class InsufficientScopeError extends ForbiddenError {
  declare readonly details: { readonly scopes: readonly string[] };

  constructor(scopes: readonly string[]) {
    super(`This needs the scope ${scopes.join(' ')}`, {
      code: 'insufficient_scope',
      details: { scopes },
      headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"` },
    });
  }
}

/** 403 `insufficient_role`: who asks is none of those who may do this. */
export class InsufficientRoleError extends ForbiddenError {
  declare readonly details: { readonly roles: readonly string[] };

  constructor(roles: readonly string[]) {
    super(`This is for the role ${roles.join(' or ')}`, {
      code: 'insufficient_role',
      details: { roles },
      headers: ROLE_CHALLENGE,
    });
  }
}

/** RFC 6750 has one error for all higher privileges; only scopes can be asked for in it. */
const ROLE_CHALLENGE = Object.freeze({ 'WWW-Authenticate': 'Bearer error="insufficient_scope"' });

/** 401 `insufficient_user_authentication`: signed in too long ago for this (RFC 9470 section 3). */
export class StaleAuthenticationError extends UnauthorizedError {
  declare readonly details: { readonly maxAgeSeconds: number };

  constructor(maxAgeSeconds: number) {
    super('Sign in again to do this', {
      code: 'insufficient_user_authentication',
      details: { maxAgeSeconds },
      headers: {
        'WWW-Authenticate': `Bearer error="insufficient_user_authentication", error_description="Sign in again", max_age="${maxAgeSeconds}"`,
      },
    });
  }
}
