import { HttpError } from '@signalbox/errors';
import type { FallbackAttempt } from './fallback.js';

/**
 * No step of a chain had an answer. Status, `code` and `Retry-After` are those of the error that tells
 * most; `cause` is that error, or an `AggregateError` of all.
 */
export class FallbackFailedError extends HttpError {
  readonly chain: string;
  readonly attempts: readonly FallbackAttempt[];

  constructor(chain: string, attempts: readonly FallbackAttempt[], errors: readonly unknown[]) {
    const telling = mostTelling(errors);
    const reasons = errors.map((error) => (error instanceof Error ? error.message : String(error)));
    const why = reasons.length > 0 ? reasons.join('; ') : 'every source was empty';
    const { status, code, headers } = asResponse(telling);
    super(status, `chain "${chain}": no source had an answer: ${why}`, {
      code,
      headers,
      cause: errors.length > 1 ? new AggregateError(errors, `all sources of "${chain}" failed`) : telling,
    });
    this.chain = chain;
    this.attempts = attempts;
  }
}

/**
 * What an operator can act on comes first: an answer that was refused or garbled, then one that did not
 * come, then a server that is not there. An open breaker only repeats what came before it.
 */
const RANKS: readonly string[] = [
  'upstream_error',
  'upstream_invalid_response',
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_unavailable',
];

function mostTelling(errors: readonly unknown[]): unknown {
  let best: unknown = errors[0];
  for (const error of errors) {
    if (rankOf(error) < rankOf(best)) best = error;
  }
  return best;
}

function rankOf(error: unknown): number {
  const rank = error instanceof HttpError ? RANKS.indexOf(error.code) : -1;
  return rank === -1 ? RANKS.length : rank;
}

/** A source may throw anything; only a server error is this server's business to pass on as it is. */
function asResponse(error: unknown): { status: number; code: string; headers: HttpError['headers'] } {
  if (error instanceof HttpError && error.status >= 500) return error;
  return error === undefined
    ? { status: 503, code: 'upstream_unavailable', headers: {} }
    : { status: 502, code: 'upstream_error', headers: {} };
}
