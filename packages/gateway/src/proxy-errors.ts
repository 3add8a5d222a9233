import { HttpError, type HttpErrorOptions } from '@signalbox/errors';

/** 508 `loop_detected`: the request has been here before, as its `Via` tells (RFC 9110 section 7.6.3). */
export class ProxyLoopError extends HttpError {
  constructor(message: string, options: HttpErrorOptions = {}) {
    super(508, message, { code: 'loop_detected', expose: true, ...options });
  }
}

/** 403 `target_not_allowed`: a target that is not on the list, or an address that is not public. */
export class ProxyTargetError extends HttpError {
  constructor(message: string, options: HttpErrorOptions = {}) {
    super(403, message, { code: 'target_not_allowed', ...options });
  }
}

/** 400, 413 or 501: a request that cannot be sent on as it is. */
export class ProxyRequestError extends HttpError {
  constructor(status: 400 | 413 | 501, code: string, message: string, options: HttpErrorOptions = {}) {
    super(status, message, { code, expose: true, ...options });
  }
}
