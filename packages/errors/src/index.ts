export { errorHandler, errorHandlerOf } from './error-handler.js';
export { methodNotAllowed, notFound } from './not-found.js';
export { toErrorObject } from './error-object.js';
export { HttpError } from './http-error.js';
export {
  BadGatewayError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  GatewayTimeoutError,
  GoneError,
  InternalServerError,
  MethodNotAllowedError,
  NotAcceptableError,
  NotFoundError,
  PayloadTooLargeError,
  ServiceUnavailableError,
  TooManyRequestsError,
  UnauthorizedError,
  UnprocessableContentError,
  UnsupportedMediaTypeError,
} from './named-errors.js';

export type { ErrorHandlerOptions } from './options.js';
export type { ErrorObject } from './render.js';
export type { HttpErrorOptions } from './http-error.js';
export type { RetryableErrorOptions } from './named-errors.js';
