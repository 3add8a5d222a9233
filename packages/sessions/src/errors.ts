import {
  ConflictError,
  ForbiddenError,
  InternalServerError,
  ServiceUnavailableError,
  UnauthorizedError,
} from '@signalbox/errors';

/** The store of the sessions does not answer: 503 `session_store_unavailable`, with `Retry-After`. */
export class SessionStoreUnavailableError extends ServiceUnavailableError {
  constructor(cause: unknown) {
    super('The session store does not answer', {
      code: 'session_store_unavailable',
      retryAfterSeconds: 1,
      cause,
    });
  }
}

/** Nobody is signed in: 401 `session_required`. */
export class SessionRequiredError extends UnauthorizedError {
  constructor() {
    super('Please sign in', { code: 'session_required' });
  }
}

/** The session ended while the request ran, by a sign-out for instance; nothing was saved: 401 `session_ended`. */
export class SessionEndedError extends UnauthorizedError {
  constructor() {
    super('The session has ended', { code: 'session_ended' });
  }
}

/** Another request changed the same key meanwhile; nothing was saved: 409 `session_conflict`. */
export class SessionConflictError extends ConflictError {
  constructor() {
    super('The session was changed by another request', { code: 'session_conflict' });
  }
}

/** The session is larger than it may be; nothing was saved: 500 `session_too_large`. */
export class SessionTooLargeError extends InternalServerError {
  constructor(maxBytes: number) {
    super(`A session may not be larger than ${maxBytes} bytes`, { code: 'session_too_large' });
  }
}

/** The user has as many sessions as are allowed, and none makes room: 403 `too_many_sessions`. */
export class TooManySessionsError extends ForbiddenError {
  constructor(max: number) {
    super(`No more than ${max} sessions at once: sign out somewhere else first`, {
      code: 'too_many_sessions',
      details: { max },
    });
  }
}
