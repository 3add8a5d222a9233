import { codeOfStatus, titleOfStatus } from './status.js';

/** What every {@link HttpError} may be given besides its status and message. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Stable machine-readable string in snake_case. Shown as `error.type`. */
  code?: string | undefined;
  /** What is wrong in detail, such as a list of fields. Shown to the caller. */
  details?: unknown;
  /** Header fields for the response, such as `Retry-After`. */
  headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Fields that stand beside `error` in the envelope, and beside the members of a problem document. */
  payload?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Whether the caller may see the message. By default a 4xx shows its own, a 5xx does not.
   */
  expose?: boolean | undefined;
}

const NO_HEADERS: Readonly<Record<string, never>> = Object.freeze({});

/** Of an error that has none, to be told by identity. */
export const NO_PAYLOAD: Readonly<Record<string, never>> = Object.freeze({});

/** An error that knows which HTTP response it stands for. Pass it to `next()` or throw it. */
export class HttpError extends Error {
  // Declared only: a field that is also initialized is written twice, and errors are made at the rate of a scan.
  /** HTTP status code, 400 to 599. */
  declare readonly status: number;
  /** The same as `status`; http-errors, body-parser and Express read either. */
  declare readonly statusCode: number;
  /** Stable machine-readable string in snake_case. */
  declare readonly code: string;
  declare readonly details: unknown;
  declare readonly headers: Readonly<Record<string, string | readonly string[]>>;
  declare readonly payload: Readonly<Record<string, unknown>>;
  declare readonly expose: boolean;

  /** @throws {TypeError} when `status` is not an integer from 400 to 599 */
  constructor(status: number, message?: string, options: HttpErrorOptions = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new TypeError(`HttpError: "status" must be an integer from 400 to 599, got ${String(status)}`);
    }
    const {
      code = codeOfStatus(status),
      details,
      headers = NO_HEADERS,
      payload = NO_PAYLOAD,
      expose = status < 500,
      cause,
    } = options;
    super(message ?? titleOfStatus(status), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.status = status;
    this.statusCode = status;
    this.code = code;
    this.details = details;
    this.headers = headers;
    this.payload = payload;
    this.expose = expose;
  }
}
