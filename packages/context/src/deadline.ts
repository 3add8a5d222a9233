import type { ServerResponse } from 'node:http';
import type { Application, ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { extendPrototypes, topmost } from './app-prototypes.js';
import { DeadlineExceededError } from './errors.js';
import { guardLateWrites } from './late-writes.js';
import { onceOver } from './once-over.js';
import { knownScopeOf, scopeOf, storage, type HttpScope, type RequestScope } from './scope.js';

/** Options of {@link deadline}. */
export interface DeadlineOptions {
  /**
   * What has to be done in time: the whole answer, or its headers, so that a stream or a download,
   * once begun, may last.
   * @default 'end'
   */
  until?: 'end' | 'headers' | undefined;
}

/** The longest time that Node's timers can wait. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Gives what comes after it a time to answer in. Of several deadlines on a request's way the earliest
 * holds, for the whole answer and for its headers.
 *
 * `req.deadline` tells when the time is up, `req.signal` is aborted then, and the request goes to the
 * error handler as a {@link DeadlineExceededError}, status 504, naming `facts(req).phase`. Where
 * headers were sent already, the connection is destroyed. What the handler still does after that, be it
 * writing, throwing or calling `next`, reaches nobody.
 *
 * @param ms how long answering may take
 * @throws {TypeError} when `ms` or an option is out of range, at construction
 *
 * @example
 * app.use(deadline(120_000));
 * app.get('/search', deadline(2_000), async (req, res) => {
 *   res.json(await search(req.query, { signal: req.signal }));
 * });
 */
export function deadline(ms: number, options: DeadlineOptions = {}): RequestHandler {
  const { until = 'end' } = options;
  if (!(typeof ms === 'number' && ms >= 1 && ms <= MAX_MS)) {
    throw new TypeError(`deadline: "ms" must be a number from 1 to ${MAX_MS}, got ${String(ms)}`);
  }
  if (until !== 'end' && until !== 'headers') {
    throw new TypeError(`deadline: "until" must be "end" or "headers", got ${String(until)}`);
  }
  for (const name of Object.keys(options)) {
    if (name !== 'until') throw new TypeError(`deadline: "${name}" is no option; there is "until"`);
  }
  let preparedApp: Application | undefined;

  return function deadlineMiddleware(req, res, next) {
    if (req.app !== preparedApp) {
      preparedApp = req.app;
      prepare(preparedApp);
    }
    const scope = scopeOf(req);
    const at = performance.now() + ms;
    if (!scope.isDueBefore(at, until)) {
      if (scope.end === undefined && scope.headers === undefined) onceOver(req, res, stopTimers);
      clearTimeout(scope[until]?.timer);
      scope[until] = { at, timer: setTimeout(expire, ms, scope, ms, until).unref() };
    }
    next();
  };
}

/**
 * How much time is left, in milliseconds: `Infinity` where there is no deadline, 0 once it has expired.
 *
 * @param scope by default what is running
 */
export function remainingMs(scope: RequestScope | undefined = storage.getStore()): number {
  if (scope?.deadline === undefined) return Infinity;
  return Math.max(0, scope.deadline - performance.now());
}

/** How long an error handler may take before the work is given up, and a stream cut off, all the same. */
const GRACE_MS = 100;

/** After a stall all timers are due at once; each router on the error handler's way takes a turn. */
const GRACE_TURNS = 20;

/** How often one handler may fail after its deadline. */
const LATE_ERRORS = 8;

const prepared = new WeakSet<Application>();

function prepare(app: Application): void {
  const top = topmost(app);
  if (prepared.has(top)) return;
  prepared.add(top);
  extendPrototypes(top);
  // Behind everything else, so that it hears what nobody has taken. A router asks each layer once a
  // request: as many failures as there are layers are dropped.
  top.use(Array.from({ length: LATE_ERRORS }, () => dropLateErrors));
}

/**
 * A handler that fails after its request was answered in its place calls `next` once more. The app's
 * final handler would write that to stderr and destroy the connection, which by then may serve
 * somebody's next request.
 */
const dropLateErrors: ErrorRequestHandler = (error, req, res, next) => {
  const expired = knownScopeOf(req)?.expired;
  const isDeadline = error === expired && !res.writableEnded && !res.destroyed;
  if (expired === undefined || isDeadline || !res.headersSent) next(error);
};

function stopTimers(this: ServerResponse): void {
  const { end, headers } = knownScopeOf(this.req as Request) ?? {};
  clearTimeout(end?.timer);
  clearTimeout(headers?.timer);
}

function expire(scope: HttpScope, ms: number, until: 'end' | 'headers'): void {
  const { req } = scope;
  const { res } = req;
  if (res === undefined || res.writableEnded || res.destroyed || scope.expired !== undefined) return;
  if (until === 'headers' && res.headersSent) return;

  const error = new DeadlineExceededError(ms, scope.facts.phase);
  scope.expired = error;
  scope.facts.timedOut = true;
  if (scope.entered) storage.run(scope, refuse, req, res, scope, error);
  else refuse(req, res, scope, error);
}

function refuse(req: Request, res: Response, scope: HttpScope, error: DeadlineExceededError): void {
  const hasBegun = res.headersSent;
  // Last comes the signal: what gives up on it must not answer in the error handler's place.
  const settle = (): void => {
    clearTimeout(grace);
    // Most error handlers have done so: a truncated answer must not look whole.
    if (hasBegun) res.destroy();
    else if (res.writableEnded) markReported(res, error);
    scope.abort(error);
  };
  const grace = setTimeout(afterTurns, GRACE_MS, GRACE_TURNS, settle).unref();

  if (!hasBegun) {
    guardLateWrites(res, settle);
    // The rest of a body that nobody reads must not stand before the connection's next request.
    if (!req.complete) res.setHeader('Connection', 'close');
  }
  // Express keeps the innermost router's `next` here, so that its own error handlers come first.
  req.next?.(error);
}

function afterTurns(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(afterTurns, turns - 1, then);
}

/**
 * A request logger that reports errors itself defines `res.err`, and an error handler that finds it
 * there logs nothing. Once the deadline is answered, and logged, the same holds for what fails late.
 */
function markReported(res: Response, error: Error): void {
  if ('err' in res) return;
  Object.defineProperty(res, 'err', { configurable: true, writable: true, value: error });
}
