import { isOfConnecting } from './connection.js';
import {
  UpstreamInvalidResponseError,
  UpstreamTimeoutError,
  UpstreamUnavailableError,
  type UpstreamError,
} from './errors.js';

/** What became of a request that brought no HTTP response. */
export type TransportFailure =
  /** The request itself is impossible, such as a line break in a header. */
  | { kind: 'misuse'; error: TypeError }
  /** `reached`: the server may have seen the request. */
  | { kind: 'failure'; error: UpstreamError; reached: boolean };

/** Nobody was there, so nothing was sent. */
const NEVER_REACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);

/** OpenSSL's and Node's names for a server that could not prove who it is, or speaks no TLS. */
const NO_TRUST = /CERT|SELF_SIGNED|UNABLE_TO|^ERR_(?:TLS|SSL)|^EPROTO$/;

const NOT_HTTP = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_EXCEEDED_MAX_SIZE']);

const MISUSE = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** Puts what undici and the sockets below it throw into our own words. */
export function failureOfTransport(
  cause: unknown,
  at: { upstream: string; server: string },
  connectTimeoutMs: number,
): TransportFailure {
  const code = codeOf(cause);
  const who = `upstream "${at.upstream}": ${at.server}`;
  const options = { ...at, cause };

  if (MISUSE.has(code)) {
    const reason = cause instanceof Error ? cause.message : 'invalid request';
    return { kind: 'misuse', error: new TypeError(`upstream "${at.upstream}": ${reason}`, { cause }) };
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    const error = new UpstreamTimeoutError(
      `${who} took no connection within ${connectTimeoutMs} ms`,
      options,
    );
    return { kind: 'failure', error, reached: false };
  }
  if (isParserError(cause) || NOT_HTTP.has(code)) {
    forgetBytes(cause);
    const error = new UpstreamInvalidResponseError(
      `${who} does not speak HTTP as it should (${code})`,
      options,
    );
    return { kind: 'failure', error, reached: true };
  }
  if (isOfConnecting(cause) || NEVER_REACHED.has(code) || NO_TRUST.test(code)) {
    const error = new UpstreamUnavailableError('unreachable', `${who} cannot be reached (${code})`, options);
    return { kind: 'failure', error, reached: false };
  }
  const error = new UpstreamUnavailableError('unreachable', `${who} broke the connection (${code})`, options);
  return { kind: 'failure', error, reached: true };
}

function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : 'no code';
}

/** Its code is the parser's own, or none. */
function isParserError(error: unknown): boolean {
  return error instanceof Error && error.name === 'HTTPParserError';
}

/** The parser's errors carry what it read, which a log has no business with. */
function forgetBytes(error: unknown): void {
  if (typeof error === 'object' && error !== null && 'data' in error) error.data = undefined;
}
