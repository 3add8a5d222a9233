import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { Facts } from './facts.js';
import { onceOver } from './once-over.js';
import { RequestAbortedError, type DeadlineExceededError } from './errors.js';
import { continueTrace, type Trace } from './trace.js';
import { uuidV7 } from './uuid-v7.js';

/** pino-http declares `id` on Node's own request: two types that differ would not compile together. */
type RequestId = IncomingMessage extends { id: infer Id } ? Id : string;

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express lets its types be augmented
  namespace Express {
    interface Request {
      /**
       * The request's id, set by `requestContext()`. A string; where pino-http's types are in the
       * program, of their wider type.
       */
      id: RequestId;
      /** Where the request stands in a distributed trace. Needs `requestContext()`. */
      readonly trace: Trace;
      /**
       * Aborted when the client goes away, and when the deadline expires. Needs `requestContext()` or
       * `deadline()`.
       */
      readonly signal: AbortSignal;
      /** When the deadline expires, on the clock of `performance.now()`; `undefined` without one. */
      readonly deadline: number | undefined;
    }
  }
}

/** The request, socket event or job that is running. */
export interface RequestScope {
  readonly id: string;
  readonly trace: Trace;
  /** What has been learned, for the one log line. */
  readonly facts: Facts;
  /** The request, where there is one: not in sockets and jobs. */
  readonly req: Request | undefined;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** When it has to be done, on the clock of `performance.now()`. */
  readonly deadline: number | undefined;
  /** The logger of what is running, where logging keeps one here. */
  log: unknown;
}

/** The scope of what is running. */
export const storage: AsyncLocalStorage<RequestScope | undefined> = new AsyncLocalStorage();

const SCOPE: unique symbol = Symbol('signalbox.scope');

/** A request, before or after something was kept for it. */
type ScopedRequest = Request & { [SCOPE]?: HttpScope };

/** The scope of a request, made on first use. */
export function scopeOf(req: ScopedRequest): HttpScope {
  return (req[SCOPE] ??= new HttpScope(req));
}

/** The scope of a request if something has used it. */
export function knownScopeOf(req: ScopedRequest): HttpScope | undefined {
  return req[SCOPE];
}

/** A time by which something has to be done. */
interface Due {
  readonly at: number;
  /** Fires then. */
  readonly timer: NodeJS.Timeout;
}

/** Everything that is kept for one HTTP request. What costs is made when it is asked for. */
export class HttpScope implements RequestScope {
  readonly req: Request;
  /** Whether `requestContext()` runs the request in this scope. */
  entered = false;
  /** The earliest of the deadlines on its way for the whole answer. */
  end: Due | undefined = undefined;
  /** The earliest one for its headers. */
  headers: Due | undefined = undefined;
  /** Set once the deadline answers in the handler's place. */
  expired: DeadlineExceededError | undefined = undefined;
  log: unknown = undefined;

  private ownId: string | undefined = undefined;
  private ownTrace: Trace | undefined = undefined;
  private ownFacts: Facts | undefined = undefined;
  private control: AbortController | undefined = undefined;
  private abortReason: Error | undefined = undefined;

  constructor(req: Request) {
    this.req = req;
  }

  get id(): string {
    return (this.ownId ??= uuidV7());
  }

  set id(id: string) {
    this.ownId = id;
  }

  /**
   * A stream may last whose headers were sent in time, and so may the calls that are made for it. What goes on after an
   * answer in time has no time of its own.
   */
  get deadline(): number | undefined {
    const { end, headers, expired } = this;
    const { headersSent, writableEnded } = this.req.res ?? { headersSent: false, writableEnded: false };
    if (writableEnded && expired === undefined) return undefined;
    const isHeaders = headers !== undefined && headers.at < (end?.at ?? Infinity);
    return isHeaders && !headersSent ? headers.at : end?.at;
  }

  /** Whether it has to be done by then, or earlier, already: what holds for the whole holds for the headers. */
  isDueBefore(at: number, until: 'end' | 'headers'): boolean {
    const { end, headers } = this;
    return (
      (end !== undefined && end.at <= at) ||
      (until === 'headers' && headers !== undefined && headers.at <= at)
    );
  }

  get trace(): Trace {
    if (this.ownTrace === undefined) {
      const { traceparent, tracestate } = this.req.headers;
      this.ownTrace = continueTrace(single(traceparent), single(tracestate));
    }
    return this.ownTrace;
  }

  get facts(): Facts {
    return (this.ownFacts ??= newFacts());
  }

  get signal(): AbortSignal {
    if (this.control === undefined) {
      this.control = new AbortController();
      // Every call of a request may listen; Node would take the eleventh for a leak.
      setMaxListeners(0, this.control.signal);
      this.watchClient();
    }
    return this.control.signal;
  }

  /** Aborts the signal, now or when somebody asks for it. The first reason stays. */
  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.control?.abort(this.abortReason);
  }

  private watchClient(): void {
    const { res } = this.req;
    if (this.abortReason !== undefined) this.abort(this.abortReason);
    else if (res !== undefined) onceOver(this.req, res, () => this.clientClosed());
  }

  private clientClosed(): void {
    if (this.req.res?.writableFinished !== false) return;
    this.abort(this.expired ?? new RequestAbortedError());
  }
}

/** Always of one shape, so that reading and writing facts stays fast. */
export function newFacts(): Facts {
  return {
    userId: undefined,
    apiVersion: undefined,
    cacheStatus: undefined,
    rateLimit: undefined,
    phase: undefined,
    silent: undefined,
    slowMs: undefined,
    timedOut: undefined,
    route: undefined,
    prefix: undefined,
  };
}

/** Node joins a header that came twice; an array never stands here. */
function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
