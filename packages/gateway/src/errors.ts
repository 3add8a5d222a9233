import { HttpError } from '@signalbox/errors';

/** What every error of an upstream may be told. */
export interface UpstreamErrorOptions extends ErrorOptions {
  /** The upstream's name, as given to `upstreams()`. */
  upstream: string;
  /** Origin of the server that failed, without credentials; none when no server was asked. */
  server?: string | undefined;
  /** When another try makes sense, where known. Sent as `Retry-After` (RFC 9110 section 10.2.3). */
  retryAfterSeconds?: number | undefined;
}

/**
 * A server behind this one failed. Its message names the upstream and the server, never a path, a
 * query, a header or a body; being a 5xx, it is logged and not shown.
 */
export class UpstreamError extends HttpError {
  readonly upstream: string;
  readonly server: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: string, message: string, options: UpstreamErrorOptions) {
    const { upstream, server, retryAfterSeconds, cause } = options;
    const seconds = retryAfterSeconds === undefined ? undefined : Math.max(1, Math.ceil(retryAfterSeconds));
    super(status, message, {
      code,
      cause,
      headers: seconds === undefined ? undefined : { 'Retry-After': String(seconds) },
    });
    this.upstream = upstream;
    this.server = server;
    this.retryAfterSeconds = seconds;
  }
}

/** 504 `upstream_timeout`: no whole answer within the time that was given. */
export class UpstreamTimeoutError extends UpstreamError {
  constructor(message: string, options: UpstreamErrorOptions) {
    super(504, 'upstream_timeout', message, options);
  }
}

/**
 * No connection, or one that broke: 502 `upstream_unreachable`. Nobody was asked, since every server's
 * breaker is open, or it is ejected or rests: 503 `upstream_unavailable`, with `Retry-After`.
 */
export class UpstreamUnavailableError extends UpstreamError {
  constructor(reason: 'unreachable' | 'unavailable', message: string, options: UpstreamErrorOptions) {
    super(reason === 'unreachable' ? 502 : 503, `upstream_${reason}`, message, options);
  }
}

/** 502 `upstream_error`: the answer's status is not one that was wanted. */
export class UpstreamResponseError extends UpstreamError {
  /** Status of the upstream's answer. */
  readonly upstreamStatus: number;

  constructor(upstreamStatus: number, message: string, options: UpstreamErrorOptions) {
    super(502, 'upstream_error', message, options);
    this.upstreamStatus = upstreamStatus;
  }
}

/** 502 `upstream_invalid_response`: not HTTP, not JSON, not decodable, or larger than allowed. */
export class UpstreamInvalidResponseError extends UpstreamError {
  constructor(message: string, options: UpstreamErrorOptions) {
    super(502, 'upstream_invalid_response', message, options);
  }
}
