/** A refusal or failure in words that a person can act on. */
export class SearchError extends Error {
  constructor(title, text, { requestId, cause, overAt, needsSignIn = false } = {}) {
    super(text, { cause });
    this.title = title;
    this.requestId = requestId;
    /** When trying again has a chance, in milliseconds of `Date.now()`; `undefined`: now. */
    this.overAt = overAt;
    /** Whether signing in is what helps. */
    this.needsSignIn = needsSignIn;
  }
}

/** Nobody is signed in. */
export class WhoError extends SearchError {
  constructor() {
    super('Who is searching?', 'Sign in, or go on as a guest for half an hour.', { needsSignIn: true });
  }
}

/** It cannot be found out who is here. */
export class UnknownError extends SearchError {
  constructor(requestId) {
    super(
      'Not at the moment',
      'Who you are cannot be looked up right now. You stay signed in; try again in a moment.',
      { requestId },
    );
  }
}

const PATIENCE_MS = 20_000;

/**
 * Asks for one page of results, with what is known of where they come from. Rejects with a {@link SearchError}, or an
 * AbortError when `signal` aborts.
 */
export async function search({ q, page }, signal) {
  const query = new URLSearchParams({ q, page: String(page) });
  let response;
  try {
    response = await fetch(`/api/v2/search?${query}`, {
      headers: { accept: 'application/json' },
      // What the browser kept would look as if it had just been made.
      cache: 'no-store',
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
  } catch (error) {
    if (signal.aborted) throw error;
    if (error.name === 'TimeoutError') {
      throw new SearchError('No answer', 'The search took too long.', { cause: error });
    }
    throw new SearchError('No connection', 'The server cannot be reached.', { cause: error });
  }
  const body = await response.json().catch(() => undefined);
  if (response.ok && body) return { ...body, origin: originOf(response.headers) };
  if (response.ok) throw new SearchError('No answer', 'The answer broke off. Try again.');
  throw explain(response.status, body?.error, Number(response.headers.get('retry-after')));
}

/**
 * Whether an answer was made for this request (`live`), is one that was kept (`cached`), one that is just being made anew
 * (`renewed`), or an older one in the place of one that could not be had (`stale`); by `Cache-Status`, RFC 9211.
 */
function originOf(headers) {
  const status = headers.get('cache-status') ?? '';
  const ageSeconds = Number(headers.get('age') ?? 0);
  if (/fwd=stale; (fwd-status=5|detail=)/.test(status)) return { kind: 'stale', ageSeconds };
  if (/; hit; ttl=-/.test(status)) return { kind: 'renewed', ageSeconds };
  return { kind: /; hit/.test(status) ? 'cached' : 'live', ageSeconds };
}

/** What an error that came over the socket means; it is the one that HTTP would have brought. */
export function searchErrorOf(error) {
  return explain(error.code, error, error.details?.retryAfterSeconds);
}

function explain(status, error, retryAfterSeconds) {
  const requestId = error?.requestId;
  switch (status) {
    case 400:
      return new SearchError('That cannot be searched', error?.message ?? 'Change the query.', { requestId });
    case 401:
      return new WhoError();
    case 429: {
      const seconds = retryAfterSeconds || 1;
      return new SearchError('Too many searches', limitInWords(error?.details), {
        overAt: Date.now() + seconds * 1_000,
      });
    }
    case 503:
      if (error?.type === 'session_store_unavailable') return new UnknownError(requestId);
      // Those that have failed are not asked for a while.
      if (error?.type === 'upstream_unavailable') return noEngine(requestId);
      return new SearchError('Busy', 'The server has too much to do. Try again in a moment.', { requestId });
    case 502:
    case 504:
      return noEngine(requestId);
    default:
      return new SearchError('That did not work', error?.message ?? `The server answered ${status}.`, {
        requestId,
      });
  }
}

function noEngine(requestId) {
  const words = 'Every search engine behind this page failed or took too long.';
  return new SearchError('No engine answered', words, { requestId });
}

/** What was reached, as far as the answer says it. */
function limitInWords(details) {
  const { limit, windowSeconds } = details ?? {};
  if (!limit || !windowSeconds) return 'You have searched as often as is allowed for now.';
  const times = limit === 1 ? 'one search' : `${limit} searches`;
  const span =
    windowSeconds === 1 ? 'a second' : windowSeconds === 60 ? 'a minute' : `in ${duration(windowSeconds)}`;
  return `The limit of ${times} ${span} is reached.`;
}

/** A span of time as people say it. */
export function duration(seconds) {
  if (seconds < 90) return `${seconds} second${seconds === 1 ? '' : 's'}`;
  if (seconds < 90 * 60) return `${Math.ceil(seconds / 60)} minutes`;
  return `${Math.round(seconds / 3_600)} hours`;
}

/** What the server says of itself: `good`, `warn` or `bad`, and a sentence. */
export async function health() {
  try {
    const response = await fetch('/health', {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(5_000),
    });
    const { status } = await response.json();
    if (status === 'healthy') return { state: 'good', text: 'All well' };
    if (status === 'degraded') return { state: 'warn', text: 'Degraded' };
    return { state: 'bad', text: 'Unhealthy' };
  } catch {
    return { state: 'bad', text: 'Offline' };
  }
}
