import { HttpError, type HttpErrorOptions } from './http-error.js';

/** 400: the request cannot be understood (RFC 9110 section 15.5.1). */
export class BadRequestError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(400, message, options);
  }
}

/** 401: credentials are missing or invalid (RFC 9110 section 15.5.2). Give a `WWW-Authenticate` in `headers`. */
export class UnauthorizedError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(401, message, options);
  }
}

/** 403: the credentials do not suffice (RFC 9110 section 15.5.4). */
export class ForbiddenError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(403, message, options);
  }
}

/** 404: there is nothing here (RFC 9110 section 15.5.5). */
export class NotFoundError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(404, message, options);
  }
}

/** 405: the resource has other methods (RFC 9110 section 15.5.6); they are listed in `Allow`. */
export class MethodNotAllowedError extends HttpError {
  constructor(allow: readonly string[], message?: string, options: HttpErrorOptions = {}) {
    super(405, message, { ...options, headers: { ...options.headers, Allow: allow.join(', ') } });
  }
}

/** 406: no representation that the client accepts (RFC 9110 section 15.5.7). */
export class NotAcceptableError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(406, message, options);
  }
}

/** 409: the request conflicts with the state of the resource (RFC 9110 section 15.5.10). */
export class ConflictError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(409, message, options);
  }
}

/** 410: it was here, and will not come back (RFC 9110 section 15.5.11). */
export class GoneError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(410, message, options);
  }
}

/** 413: the content is larger than the server takes (RFC 9110 section 15.5.14). */
export class PayloadTooLargeError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(413, message, options);
  }
}

/** 415: the content is in a format that is not supported (RFC 9110 section 15.5.16). */
export class UnsupportedMediaTypeError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(415, message, options);
  }
}

/** 422: well-formed, but not valid (RFC 9110 section 15.5.21). List the fields in `details`. */
export class UnprocessableContentError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(422, message, options);
  }
}

/** Options of errors after which a caller may try again. */
export interface RetryableErrorOptions extends HttpErrorOptions {
  /** Sent as `Retry-After` in whole seconds (RFC 9110 section 10.2.3), rounded up. */
  retryAfterSeconds?: number | undefined;
}

/** 429: too many requests in a time (RFC 6585 section 4). */
export class TooManyRequestsError extends HttpError {
  /** Seconds until another try makes sense, where known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message?: string, options: RetryableErrorOptions = {}) {
    super(429, message, withRetryAfter(options));
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** 500: something is broken here (RFC 9110 section 15.6.1). */
export class InternalServerError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(500, message, options);
  }
}

/** 502: an upstream server gave an invalid answer (RFC 9110 section 15.6.3). */
export class BadGatewayError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(502, message, options);
  }
}

/** 503: not now (RFC 9110 section 15.6.4). */
export class ServiceUnavailableError extends HttpError {
  /** Seconds until another try makes sense, where known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message?: string, options: RetryableErrorOptions = {}) {
    super(503, message, withRetryAfter(options));
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** 504: an upstream server did not answer in time (RFC 9110 section 15.6.5). */
export class GatewayTimeoutError extends HttpError {
  constructor(message?: string, options?: HttpErrorOptions) {
    super(504, message, options);
  }
}

function withRetryAfter({ retryAfterSeconds, ...options }: RetryableErrorOptions): HttpErrorOptions {
  if (retryAfterSeconds === undefined) return options;
  return { ...options, headers: { ...options.headers, 'Retry-After': String(Math.ceil(retryAfterSeconds)) } };
}
