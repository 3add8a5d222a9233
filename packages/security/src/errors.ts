import {
  BadRequestError,
  ConflictError,
  ForbiddenError,
  ServiceUnavailableError,
  UnprocessableContentError,
} from '@signalbox/errors';

/** Which of its checks a request failed. */
export type CsrfCheck =
  | 'cross_site'
  | 'token_missing'
  | 'cookie_missing'
  | 'token_mismatch'
  | 'token_invalid';

const CSRF_SENTENCES: Readonly<Record<CsrfCheck, string>> = {
  cross_site: 'The request comes from a page of another site.',
  token_missing: 'The request does not say which page it comes from, and brings no CSRF token.',
  cookie_missing: 'The CSRF token came without its cookie.',
  token_mismatch: 'The CSRF token is not the one in its cookie.',
  token_invalid: 'The CSRF token is not of this session, or is too old.',
};

/** A request that another site may have made in the visitor's name: 403 `csrf_failed`. */
export class CsrfError extends ForbiddenError {
  readonly check: CsrfCheck;

  constructor(check: CsrfCheck) {
    super(CSRF_SENTENCES[check], { code: 'csrf_failed', details: { check } });
    this.check = check;
  }
}

/** The address of who asks is not on the list, or cannot be known: 403 `address_not_allowed`. */
export class AddressNotAllowedError extends ForbiddenError {
  constructor() {
    super('This is not open to your address.', { code: 'address_not_allowed' });
  }
}

/** Content was sent over plain http: 403 `https_required`. */
export class HttpsRequiredError extends ForbiddenError {
  constructor() {
    super('This takes requests over https only. What was sent over http could be read on the way.', {
      code: 'https_required',
    });
  }
}

/** No key where one is asked for, or one that is none: 400. */
export class IdempotencyKeyError extends BadRequestError {
  constructor(code: 'idempotency_key_required' | 'idempotency_key_invalid') {
    super(
      code === 'idempotency_key_required'
        ? 'This needs an Idempotency-Key.'
        : 'The Idempotency-Key must be 1 to 255 visible characters, such as a UUID.',
      { code },
    );
  }
}

/** The same key came with another request: 422 `idempotency_key_reused`. */
export class IdempotencyKeyReusedError extends UnprocessableContentError {
  constructor() {
    super('The Idempotency-Key was used for another request.', { code: 'idempotency_key_reused' });
  }
}

/** The first request of this key has not been answered yet: 409 `idempotency_in_progress`. */
export class IdempotencyInProgressError extends ConflictError {
  constructor() {
    super('A request with this Idempotency-Key is being worked on.', {
      code: 'idempotency_in_progress',
      headers: { 'Retry-After': '1' },
    });
  }
}

/** It was done, and its answer was too long to be kept: 409 `idempotency_not_replayable`. */
export class IdempotencyNotReplayableError extends ConflictError {
  constructor() {
    super('The request with this Idempotency-Key was done. Its answer was too long to be kept.', {
      code: 'idempotency_not_replayable',
    });
  }
}

/** The store of the keys does not answer: 503 `idempotency_unavailable`. */
export class IdempotencyUnavailableError extends ServiceUnavailableError {
  constructor(cause: unknown) {
    super('Whether this was done before cannot be known at the moment, so nothing was done.', {
      code: 'idempotency_unavailable',
      retryAfterSeconds: 1,
      expose: true,
      cause,
    });
  }
}
