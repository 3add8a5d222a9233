import type { Request } from 'express';
import type { Facts } from './facts.js';
import { HttpScope, newFacts, storage, type RequestScope } from './scope.js';
import { childOf, continueTrace, type Trace } from './trace.js';
import { uuidV7 } from './uuid-v7.js';

/** What is known of a socket event or job before it begins. */
export interface ScopeInit {
  /** By default a new UUIDv7. */
  id?: string | undefined;
  /** The caller's `traceparent`, as it came; by default the trace of what is running, or a new one. */
  traceparent?: string | undefined;
  tracestate?: string | undefined;
  facts?: Facts | undefined;
  /** Aborted when nobody waits for the result any more. */
  signal?: AbortSignal | undefined;
  /** When it has to be done, on the clock of `performance.now()`. */
  deadline?: number | undefined;
  log?: unknown;
}

/**
 * The request, socket event or job that is running, anywhere below `requestContext()` or
 * `runInContext()`: after any `await`, in timers, and in listeners of the request and its response.
 */
export function currentRequest(): RequestScope | undefined {
  return storage.getStore();
}

/**
 * Runs a socket event or a job as something of its own, with an id and facts of its own. What is
 * started from a request stays in that request's trace.
 *
 * @param scope what is known of it; or a scope from `currentRequest()`, to go on in
 * @returns what `fn` returns
 *
 * @example
 * socket.on('search', (query, done) => runInContext({ id: `${socket.id}:search` }, () => search(query).then(done)));
 */
export function runInContext<Result>(scope: RequestScope | ScopeInit, fn: () => Result): Result {
  return storage.run(isScope(scope) ? scope : new TaskScope(scope, storage.getStore()), fn);
}

/**
 * Runs something that belongs to no request, whichever happens to begin it: a timer, a connection or a job that
 * outlasts it, or that others share. It would have that one's deadline otherwise, its log, and hold it in memory.
 *
 * @returns what `fn` returns
 *
 * @example
 * timer ??= outsideRequests(() => setInterval(flush, 1_000).unref());
 */
export function outsideRequests<Result>(fn: () => Result): Result {
  return storage.run(undefined, fn);
}

/** A socket event or a job. */
class TaskScope implements RequestScope {
  readonly id: string;
  readonly req: Request | undefined = undefined;
  readonly facts: Facts;
  log: unknown;

  private readonly init: ScopeInit;
  private readonly parent: RequestScope | undefined;
  private ownTrace: Trace | undefined = undefined;
  private ownSignal: AbortSignal | undefined;

  constructor(init: ScopeInit, parent: RequestScope | undefined) {
    this.id = init.id ?? uuidV7();
    this.facts = init.facts ?? newFacts();
    this.log = init.log;
    this.init = init;
    this.parent = parent;
    this.ownSignal = init.signal;
  }

  /** Whoever made it may take it away, once what had to be done by then is done. */
  get deadline(): number | undefined {
    return this.init.deadline;
  }

  get trace(): Trace {
    if (this.ownTrace === undefined) {
      const { traceparent, tracestate } = this.init;
      const inherits = traceparent === undefined && this.parent !== undefined;
      this.ownTrace = inherits ? childOf(this.parent.trace) : continueTrace(traceparent, tracestate);
    }
    return this.ownTrace;
  }

  get signal(): AbortSignal {
    return (this.ownSignal ??= new AbortController().signal);
  }
}

function isScope(scope: RequestScope | ScopeInit): scope is RequestScope {
  return scope instanceof HttpScope || scope instanceof TaskScope;
}
