import { HttpError, NO_PAYLOAD } from './http-error.js';
import { codeOfStatus, titleOfStatus } from './status.js';

/** What an error means for the response, whatever it was thrown by. */
export interface Failure {
  readonly status: number;
  /** Stable string in snake_case. */
  readonly code: string;
  /** What the caller may read. */
  readonly message: string;
  readonly details: unknown;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

const NO_HEADERS: Readonly<Record<string, never>> = Object.freeze({});

/** What a foreign error may bring along. Every field is unproven: errors are made by anybody. */
interface ForeignError {
  name?: unknown;
  message?: unknown;
  status?: unknown;
  statusCode?: unknown;
  code?: unknown;
  type?: unknown;
  expose?: unknown;
  headers?: unknown;
  issues?: unknown;
  severity?: unknown;
  limit?: unknown;
  cause?: unknown;
}

/** Finds out what `error` means: as an {@link HttpError} says, as a known library's error, by `status`, or 500. */
export function failureOf(error: unknown): Failure {
  if (error instanceof HttpError) {
    const { status, code, details, headers, payload } = error;
    if (error.expose) return { status, code, message: error.message, details, headers, payload };
    return { status, code, message: titleOfStatus(status), details: undefined, headers, payload };
  }
  if (typeof error !== 'object' || error === null) return failure(500);

  const foreign = error as ForeignError;
  return (
    fromBodyParser(foreign) ??
    fromSchema(foreign) ??
    fromToken(foreign) ??
    fromStatus(foreign) ??
    fromDatabase(foreign) ??
    fromNetwork(foreign) ??
    failure(500)
  );
}

/** Whether the error says that the client went away before it had its answer. */
export function isClientAbort(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { status, statusCode, type, code } = error as ForeignError;
  return (
    status === 499 || statusCode === 499 || type === 'request.aborted' || code === 'client_closed_request'
  );
}

function failure(status: number, code?: string, message?: string, more?: Partial<Failure>): Failure {
  return {
    status,
    code: code ?? codeOfStatus(status),
    message: message ?? titleOfStatus(status),
    details: undefined,
    headers: NO_HEADERS,
    payload: NO_PAYLOAD,
    ...more,
  };
}

/** busboy's, below multer and express-fileupload. They have no name, code or status of their own. */
const MALFORMED_FORMS: ReadonlySet<unknown> = new Set([
  'Multipart: Boundary not found',
  'Malformed part header',
  'Malformed urlencoded form',
  'Unexpected end of form',
  'Unexpected end of file',
]);

/** body-parser, multer and busboy: their messages quote the body, so they get words of our own. */
function fromBodyParser({ name, type, code, limit, message, status }: ForeignError): Failure | undefined {
  switch (type) {
    case 'entity.parse.failed':
      return failure(400, 'malformed_body', 'The body cannot be parsed as its Content-Type says');
    case 'entity.too.large': {
      const details = typeof limit === 'number' ? { maxBytes: limit } : undefined;
      return failure(413, undefined, 'The body is too large', { details });
    }
    case 'parameters.too.many':
      return failure(413, undefined, 'The body has too many parameters');
    case 'charset.unsupported':
      return failure(415, undefined, 'The charset of the body is not supported');
    case 'encoding.unsupported':
      return failure(415, undefined, 'The encoding of the body is not supported');
    case 'request.size.invalid':
      return failure(400, 'malformed_body', 'The body is not as long as its Content-Length says');
    case 'querystring.parse.rangeError':
      return failure(400, 'malformed_body', 'The body is nested too deeply');
  }
  if (name === 'MulterError') {
    return typeof code === 'string' && code.endsWith('_SIZE')
      ? failure(413, undefined, 'An uploaded part is too large')
      : failure(400, 'malformed_body', 'The upload is not as this endpoint takes it');
  }
  if (name === 'Error' && status === undefined && MALFORMED_FORMS.has(message))
    return failure(400, 'malformed_body', 'The body cannot be parsed as its Content-Type says');
  return undefined;
}

/** zod 3 and 4. */
function fromSchema({ name, issues }: ForeignError): Failure | undefined {
  if ((name !== 'ZodError' && name !== '$ZodError') || !Array.isArray(issues)) return undefined;
  const details = (issues as { path?: unknown; message?: unknown }[]).slice(0, 100).map((issue) => ({
    pointer: pointerOf(issue.path),
    message: String(issue.message),
  }));
  return failure(422, 'validation_failed', 'The request is not valid', { details });
}

/** A JSON Pointer, RFC 6901 section 3. */
function pointerOf(path: unknown): string {
  if (!Array.isArray(path)) return '';
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** jsonwebtoken. RFC 6750 section 3.1 has one error code for all of these. */
function fromToken({ name }: ForeignError): Failure | undefined {
  const headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  switch (name) {
    case 'TokenExpiredError':
      return failure(401, 'token_expired', 'The token has expired', { headers });
    case 'NotBeforeError':
      return failure(401, 'invalid_token', 'The token is not valid yet', { headers });
    case 'JsonWebTokenError':
      return failure(401, 'invalid_token', 'The token is not valid', { headers });
  }
  return undefined;
}

const STABLE_CODE = /^[a-z][a-z0-9_]{1,63}$/;

/** The convention of http-errors, which Express, send, csurf and many others keep. */
function fromStatus(error: ForeignError): Failure | undefined {
  const status = error.status ?? error.statusCode;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 400 || status > 599) {
    return undefined;
  }
  if (error.code === 'EBADCSRFTOKEN') return failure(403, 'csrf_failed', 'The CSRF token is not valid');
  if (error instanceof URIError) return failure(400, 'malformed_uri', 'The URL cannot be decoded');

  const code =
    typeof error.code === 'string' && STABLE_CODE.test(error.code) ? error.code : codeOfStatus(status);
  const expose = typeof error.expose === 'boolean' ? error.expose : status < 500;
  const message =
    expose && typeof error.message === 'string' && error.message !== '' ? error.message : undefined;
  return failure(status, code, message, { headers: headersOf(error.headers) });
}

/** What belongs to one message and its sender. `Content-Range` does say how long what could not be sent in part is. */
const OF_ANOTHER_ANSWER =
  /^(?:content-(?!range$).*|transfer-encoding|connection|keep-alive|trailer|upgrade|set-cookie|vary|access-control-.*|x-request-id)$/i;

/** Clients of other services hand on all that the answer had which they call an error. */
function headersOf(headers: unknown): Failure['headers'] {
  if (typeof headers !== 'object' || headers === null) return NO_HEADERS;
  const fields = Object.entries(headers).filter(
    (field): field is [string, string] => typeof field[1] === 'string' && !OF_ANOTHER_ANSWER.test(field[0]),
  );
  return Object.fromEntries(fields);
}

/** pg. The classes are those of PostgreSQL's manual, appendix A. */
function fromDatabase({ code, severity }: ForeignError): Failure | undefined {
  if (typeof code !== 'string' || typeof severity !== 'string') return undefined;
  const retry = { headers: { 'Retry-After': '1' } };
  switch (code) {
    case '23505': // unique_violation
    case '23503': // foreign_key_violation
    case '23P01': // exclusion_violation
      return failure(409, undefined, 'The request conflicts with what is stored');
    case '40001': // serialization_failure
    case '40P01': // deadlock_detected
      return failure(503, 'transaction_conflict', 'The transaction met another one; try again', retry);
    case '57014': // query_canceled: a statement timeout
      return failure(503, 'database_timeout', 'The database did not answer in time', retry);
  }
  // Connection failures, too many connections, shutdown.
  if (/^(08|53|57P)/.test(code)) return failure(503, 'database_unavailable', undefined, retry);
  return undefined;
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'UND_ERR_SOCKET',
]);
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Failures on the way to another server, also where `fetch` hides them in the cause. */
function fromNetwork(error: ForeignError): Failure | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth += 1) {
    const { code, name, cause } = current as ForeignError;
    if (typeof code === 'string' && UNREACHABLE.has(code)) return failure(502);
    if (typeof code === 'string' && TIMED_OUT.has(code)) return failure(504);
    if (name === 'TimeoutError') return failure(504);
    current = cause;
  }
  return undefined;
}
