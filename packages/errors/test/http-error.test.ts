import { describe, expect, it } from 'vitest';
import {
  BadGatewayError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  GatewayTimeoutError,
  GoneError,
  HttpError,
  InternalServerError,
  MethodNotAllowedError,
  NotAcceptableError,
  NotFoundError,
  PayloadTooLargeError,
  ServiceUnavailableError,
  toErrorObject,
  TooManyRequestsError,
  UnauthorizedError,
  UnprocessableContentError,
  UnsupportedMediaTypeError,
} from '../src/index.js';

describe('HttpError', () => {
  it.each([200, 399, 600, 404.5, Number.NaN])('refuses status %s', (status) => {
    expect(() => new HttpError(status)).toThrow('HttpError: "status" must be an integer from 400 to 599');
  });

  it('has the phrase of its status for a message and the status in words for a code', () => {
    expect(new HttpError(404)).toMatchObject({ message: 'Not Found', code: 'not_found', statusCode: 404 });
    expect(new HttpError(418)).toMatchObject({ code: 'http_418' });
  });

  it('shows the message of a 4xx and not that of a 5xx, unless told', () => {
    expect(new HttpError(404).expose).toBe(true);
    expect(new HttpError(500).expose).toBe(false);
    expect(new HttpError(500, 'x', { expose: true }).expose).toBe(true);
  });

  it('keeps its cause', () => {
    const cause = new Error('inner');
    expect(new HttpError(500, 'outer', { cause }).cause).toBe(cause);
    expect(new HttpError(500, 'outer')).not.toHaveProperty('cause');
  });

  it.each([
    [BadRequestError, 400],
    [UnauthorizedError, 401],
    [ForbiddenError, 403],
    [NotFoundError, 404],
    [NotAcceptableError, 406],
    [ConflictError, 409],
    [GoneError, 410],
    [PayloadTooLargeError, 413],
    [UnsupportedMediaTypeError, 415],
    [UnprocessableContentError, 422],
    [TooManyRequestsError, 429],
    [InternalServerError, 500],
    [BadGatewayError, 502],
    [ServiceUnavailableError, 503],
    [GatewayTimeoutError, 504],
  ] as const)('%o is %i', (NamedError, status) => {
    const error = new NamedError();
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ name: NamedError.name, status });
  });

  it('MethodNotAllowedError lists the methods in Allow', () => {
    expect(new MethodNotAllowedError(['GET', 'HEAD'])).toMatchObject({
      status: 405,
      headers: { Allow: 'GET, HEAD' },
    });
  });
});

describe('toErrorObject', () => {
  it('gives a socket the error object of the envelope, with the same secrecy', () => {
    expect(toErrorObject(new HttpError(403, 'Not your room', { code: 'not_a_member' }))).toMatchObject({
      code: 403,
      type: 'not_a_member',
      message: 'Not your room',
    });
    expect(toErrorObject(new Error('secret'), { requestId: 'r' })).toMatchObject({
      code: 500,
      message: 'Internal Server Error',
      requestId: 'r',
    });
  });
});
