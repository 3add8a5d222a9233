import { UpstreamInvalidResponseError, UpstreamTimeoutError, type UpstreamError } from './errors.js';
import { ProxyRequestError, ProxyTargetError } from './proxy-errors.js';
import type { ProxySettings } from './proxy-options.js';
import { UnusableHeadError } from './proxy-response-head.js';
import { PrivateAddressError } from './public-address.js';
import { failureOfTransport } from './transport-failure.js';

/** Whose failure it is. */
export interface At {
  upstream: string;
  /** Origin of the server that was asked. */
  server: string;
}

/** What became of a request that brought no answer, or half of one. */
export type ExchangeFailure =
  /** `reached`: the server may have seen the request. */
  { blame: 'upstream'; error: UpstreamError; reached: boolean } | { blame: 'request'; error: Error };

/** Puts what undici and the sockets below it say into our own words. */
export function exchangeFailure(cause: unknown, at: At, connectTimeoutMs: number): ExchangeFailure {
  if (cause instanceof PrivateAddressError) {
    const error = new ProxyTargetError('The target is not one that is allowed.', { cause });
    return { blame: 'request', error };
  }
  const failure = failureOfTransport(cause, at, connectTimeoutMs);
  if (failure.kind === 'failure')
    return { blame: 'upstream', error: failure.error, reached: failure.reached };
  const error = new ProxyRequestError(400, 'invalid_request', 'The request cannot be sent on.', { cause });
  return { blame: 'request', error };
}

/** @param how `silent`: there was no answer; `still` and `slow`: it came to a halt, or nearly so */
export function tooSlow(
  at: At,
  how: 'silent' | 'still' | 'slow',
  { timeoutMs, idleTimeoutMs, minBytesPerSecond }: ProxySettings,
): UpstreamTimeoutError {
  const what = {
    silent: `did not answer within ${timeoutMs} ms`,
    still: `sent nothing for ${idleTimeoutMs} ms`,
    slow: `sent less than ${minBytesPerSecond} bytes a second`,
  }[how];
  return new UpstreamTimeoutError(`upstream "${at.upstream}": ${at.server} ${what}`, at);
}

export function unusableAnswer(at: At, cause: unknown): UpstreamInvalidResponseError {
  const why = cause instanceof UnusableHeadError ? cause.message : 'cannot be passed on';
  const message = `upstream "${at.upstream}": the answer of ${at.server} ${why}`;
  return new UpstreamInvalidResponseError(message, { ...at, cause });
}
