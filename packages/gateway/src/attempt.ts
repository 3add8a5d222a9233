import { signals } from '@signalbox/signals';
import type { Dispatcher } from 'undici';
import { decodeBody, discardBody, readBody, TooLargeBodyError, UnusableBodyError } from './body.js';
import type { Verdict } from './breaker.js';
import type { Connection, ConnectionUser } from './connection.js';
import { onExpiry } from './expiry.js';
import {
  UpstreamInvalidResponseError,
  UpstreamResponseError,
  UpstreamTimeoutError,
  type UpstreamError,
} from './errors.js';
import { failureOfTransport, type TransportFailure } from './transport-failure.js';
import type { UpstreamSettings } from './options.js';
import type { PreparedRequest } from './request.js';
import type { UpstreamResponse } from './response.js';
import { retryAfterMs } from './retry-after.js';
import type { Server } from './server.js';

/** How an attempt ended. `verdict` is what it says about the server. */
export type Outcome<Out> =
  | { kind: 'answer'; verdict: Verdict; value: Out; status: number }
  | { kind: 'failure'; verdict: Verdict; error: UpstreamError; failure: Failure; status: number | undefined }
  /** No other attempt can mend it: the caller left, asked for nonsense, or got an answer it does not want. */
  | { kind: 'stopped'; verdict: Verdict; reason: unknown; status: number | undefined; left: boolean };

/** What matters for whether to try again, and where. */
export interface Failure {
  /** The server may have seen the request. */
  reached: boolean;
  timedOut: boolean;
  retryAfterMs: number | undefined;
}

export interface AttemptLimits {
  /** Which attempt of the call this is, from 1. */
  number: number;
  /** What is left for it, in milliseconds: the attempt's own time, or the rest of the call's. */
  budgetMs: number;
}

/** Makes of a response what the caller asked for, or throws. */
export type Reader<Out> = (response: UpstreamResponse) => Out;

/** Whom a request is sent to, by which connections. */
type Asked = Pick<Server, 'address' | 'pool'> & Partial<Pick<Server, 'silence'>>;

/** Sends a request to one server and reads the answer. Never rejects, and never takes longer than it may. */
export async function attempt<Out>(
  server: Asked,
  request: PreparedRequest,
  read: Reader<Out>,
  settings: UpstreamSettings,
  limits: AttemptLimits,
): Promise<Outcome<Out>> {
  const startedAt = performance.now();
  const cut = cutOff(limits.budgetMs, request.signal);
  const progress: Progress = { askedAt: undefined, status: undefined, retryAfterMs: undefined };

  let outcome: Outcome<Out>;
  try {
    // A race, since undici looks at the signal of a request that waits for a connection only when it has one.
    const response = await Promise.race([
      exchange(server, request, settings, cut.signal, progress),
      cut.promise,
    ]);
    const slow = askedMs(progress) > (settings.breaker?.slowCallMs ?? Infinity);
    server.silence?.(request.route).broken();
    outcome = readAnswer(response, read, slow ? 'failed' : 'ok');
  } catch (error) {
    const tookMs = performance.now() - startedAt;
    outcome = cut.signal.aborted
      ? cutOutcome(server, request, settings, limits, tookMs, cut.byTimer, progress)
      : failedOutcome(error, server, settings, progress);
  } finally {
    cut.release();
  }

  if (signals.upstreamRequest.hasSubscribers) {
    signals.upstreamRequest.publish({
      upstream: settings.name,
      server: server.address.origin,
      route: request.route,
      attempt: limits.number,
      outcome: outcomeName(outcome),
      status: outcome.status,
      durationMs: performance.now() - startedAt,
    });
  }
  return outcome;
}

/** How far an exchange came, and what it was told on the way. */
interface Progress {
  /** When there was a connection for it. The time before tells of other calls, and nothing of the server. */
  askedAt: number | undefined;
  status: number | undefined;
  retryAfterMs: number | undefined;
}

function askedMs({ askedAt }: Progress): number {
  return askedAt === undefined ? 0 : performance.now() - askedAt;
}

interface CutOff {
  signal: AbortSignal;
  /** Rejects when the signal aborts; never resolves. */
  promise: Promise<never>;
  /** Whether it was the timer, not the caller. */
  readonly byTimer: boolean;
  release(): void;
}

/** Ends an attempt when its time is up or its caller leaves. */
function cutOff(budgetMs: number, caller: AbortSignal | undefined): CutOff {
  const control = new AbortController();
  let byTimer = false;
  let reject: (reason: unknown) => void;
  const promise = new Promise<never>((_resolve, rejectPromise) => {
    reject = rejectPromise;
  });

  const end = (): void => {
    control.abort();
    reject(control.signal.reason);
  };
  const endExpiry = onExpiry(budgetMs, () => {
    byTimer = true;
    end();
  });
  caller?.addEventListener('abort', end);

  return {
    signal: control.signal,
    promise,
    get byTimer() {
      return byTimer;
    },
    release() {
      endExpiry();
      caller?.removeEventListener('abort', end);
    },
  };
}

/**
 * A body is read as it comes, up to a bound of our own. Were undici 7 to wait for somebody who reads it, a server that
 * closes meanwhile would end the process (nodejs/undici#5360).
 */
const NEVER_PAUSE = Number.MAX_SAFE_INTEGER;

const NOTHING = Buffer.alloc(0);

async function exchange(
  server: Asked,
  request: PreparedRequest,
  settings: UpstreamSettings,
  signal: AbortSignal,
  progress: Progress,
): Promise<UpstreamResponse> {
  const { prefix, authorization, origin } = server.address;
  const options: Dispatcher.RequestOptions & ConnectionUser = {
    set connection(_connection: Connection | undefined) {
      progress.askedAt = performance.now();
    },
    path: prefix + request.path,
    method: request.method,
    headers: authorization === undefined ? request.headers : { authorization, ...request.headers },
    body: request.body ?? null,
    signal,
    highWaterMark: NEVER_PAUSE,
  };
  const { statusCode, headers, body } = await server.pool.request(options);
  progress.status = statusCode;
  if (isFailure(statusCode)) {
    discardBody(body);
    if (statusCode === 429 || statusCode === 503)
      progress.retryAfterMs = retryAfterMs(headers['retry-after']);
    throw statusFailure(statusCode, progress.retryAfterMs, settings.name, origin);
  }

  // The answer to a HEAD tells the length of a body that does not come, and so may a 304 (RFC 9110 section 8.6), of
  // which undici would say that it was cut.
  if (statusCode === 304) discardBody(body);
  const length = request.method === 'HEAD' ? undefined : headers['content-length'];
  const raw = statusCode === 304 ? NOTHING : await readBody(body, length, settings.maxResponseBytes);
  const decoded = await decodeBody(raw, headers['content-encoding'], settings.maxResponseBytes);
  const { 'content-encoding': _coding, 'content-length': _length, ...rest } = headers;
  return {
    status: statusCode,
    headers: decoded === raw ? headers : rest,
    body: decoded,
    upstream: settings.name,
    server: origin,
  };
}

/** A server error, or "not now". Any other status is an answer, whether the caller likes it or not. */
function isFailure(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

function statusFailure(
  status: number,
  waitMs: number | undefined,
  upstream: string,
  server: string,
): UpstreamResponseError {
  return new UpstreamResponseError(status, `upstream "${upstream}": ${server} answered ${status}`, {
    upstream,
    server,
    retryAfterSeconds: waitMs === undefined ? undefined : waitMs / 1_000,
  });
}

function readAnswer<Out>(response: UpstreamResponse, read: Reader<Out>, verdict: Verdict): Outcome<Out> {
  const { status } = response;
  try {
    return { kind: 'answer', verdict, value: read(response), status };
  } catch (error) {
    if (error instanceof UpstreamInvalidResponseError) return failure(error, status, {});
    return { kind: 'stopped', verdict, reason: error, status, left: false };
  }
}

function failedOutcome(
  error: unknown,
  server: Asked,
  settings: UpstreamSettings,
  progress: Progress,
): Outcome<never> {
  const { status } = progress;
  const at = { upstream: settings.name, server: server.address.origin };
  if (error instanceof UpstreamResponseError) {
    return failure(error, status, { retryAfterMs: progress.retryAfterMs });
  }
  if (error instanceof UnusableBodyError) {
    const message = `upstream "${at.upstream}": the answer of ${at.server} ${error.message}`;
    const unusable = failure(
      new UpstreamInvalidResponseError(message, { ...at, cause: error.cause }),
      status,
      {},
    );
    return error instanceof TooLargeBodyError ? { ...unusable, verdict: 'neutral' } : unusable;
  }
  const transport: TransportFailure = failureOfTransport(error, at, settings.connectTimeoutMs);
  if (transport.kind === 'misuse') {
    return { kind: 'stopped', verdict: 'neutral', reason: transport.error, status, left: false };
  }
  return failure(transport.error, status, { reached: transport.reached });
}

function failure(
  error: UpstreamError,
  status: number | undefined,
  more: Partial<Failure>,
): Extract<Outcome<never>, { kind: 'failure' }> {
  const details: Failure = { reached: true, timedOut: false, retryAfterMs: undefined, ...more };
  return { kind: 'failure', verdict: 'failed', error, failure: details, status };
}

/** The attempt was cut short, by its timer or by the caller. */
function cutOutcome(
  server: Asked,
  request: PreparedRequest,
  settings: UpstreamSettings,
  { budgetMs }: AttemptLimits,
  tookMs: number,
  byTimer: boolean,
  progress: Progress,
): Outcome<never> {
  const { status } = progress;
  const upstream = settings.name;
  const { origin } = server.address;
  // Less than a tenth of what a call may take shows nothing by itself: the rest was spent elsewhere, or its caller had less.
  const leastMs = Math.min(settings.timeoutMs, settings.deadlineMs) / 10;
  const hadAChance = (): boolean =>
    askedMs(progress) >= leastMs ||
    server.silence?.(request.route).lasts(askedMs(progress), leastMs) === true;

  if (!byTimer) {
    const reason: unknown = request.signal?.reason;
    const wasSlow = askedMs(progress) > (settings.breaker?.slowCallMs ?? Infinity);
    const verdict = wasSlow || (isDeadline(reason) && hadAChance()) ? 'failed' : 'neutral';
    return { kind: 'stopped', verdict, reason, status, left: true };
  }
  const missing = status === undefined ? 'did not answer' : 'did not finish its answer';
  const message = `upstream "${upstream}": ${origin} ${missing} within ${Math.round(budgetMs)} ms`;
  const error = new UpstreamTimeoutError(message, { upstream, server: origin });
  const verdict = hadAChance() ? 'failed' : 'neutral';
  if (tookMs < leastMs) return { kind: 'stopped', verdict, reason: error, status, left: false };
  const reached = progress.askedAt !== undefined;
  return { ...failure(error, status, { timedOut: true, reached }), verdict };
}

/** `AbortSignal.timeout` has a `TimeoutError`; deadlines of requests and of fallback chains a 504. */
function isDeadline(reason: unknown): boolean {
  if (typeof reason !== 'object' || reason === null) return false;
  const { name, status } = reason as { name?: unknown; status?: unknown };
  return name === 'TimeoutError' || status === 504;
}

function outcomeName(outcome: Outcome<unknown>): 'ok' | 'error' | 'timeout' | 'aborted' {
  if (outcome.kind === 'answer') return 'ok';
  if (outcome.kind === 'failure') return outcome.failure.timedOut ? 'timeout' : 'error';
  if (!outcome.left) return outcome.reason instanceof UpstreamTimeoutError ? 'timeout' : 'error';
  return isDeadline(outcome.reason) ? 'timeout' : 'aborted';
}
