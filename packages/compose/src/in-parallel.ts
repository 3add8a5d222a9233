import { AsyncResource } from 'node:async_hooks';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { facts, RequestAbortedError } from '@signalbox/context';
import { InternalServerError } from '@signalbox/errors';
import { shown } from '@signalbox/options';

/**
 * Runs middlewares at the same time: all start in one tick, and the request goes on when all have called `next`.
 *
 * The outcome is what running them one after the other would have given. The first of them, in the order of the
 * arguments, that calls `next` with something decides, whoever was faster; those behind it are not waited for. So
 * what stands first may depend on nothing that the others do.
 *
 * A member refuses with `next(error)`, a throw or a rejection. One that answers by itself is a mistake: the error
 * `answered_in_parallel`, status 500, names it. When the client has gone away meanwhile, the request goes to the
 * error handler with status 499 and not to the next handler.
 *
 * @throws {TypeError} when a member is no middleware, or is a router (it changes `req.url` while it runs)
 *
 * @example
 * app.use('/api', inParallel(limitByAddress, session, bearerToken, cacheLookup));
 */
export function inParallel(...members: (RequestHandler | readonly RequestHandler[])[]): RequestHandler {
  const checked = members.flat().map(requireMiddleware);

  return function inParallelMiddleware(req, res, next) {
    const join = new Join(checked, req, res, next);
    for (let index = 0; index < checked.length; index++) join.start(index);
    join.allStarted();
  };
}

function requireMiddleware(member: RequestHandler, index: number): RequestHandler {
  const wrong = (got: string): TypeError =>
    new TypeError(`inParallel: "members[${index}]" must be a middleware, got ${got}`);
  if (typeof member !== 'function') throw wrong(shown(member));
  if (member.length > 3) throw wrong('an error handler');
  // While it waits for one of its handlers, the others would see the URL without the mount path.
  if (('stack' in member && 'use' in member) || 'mountpath' in member) {
    throw wrong('a router or an app: mount it by itself');
  }
  return member;
}

const PENDING = Symbol('pending');
const PASSED = Symbol('passed');

const warnedOf = new WeakSet<RequestHandler>();

/** Where the members of one request meet. */
class Join {
  /** What each member said: an error, `'route'`, or one of the two symbols. */
  private readonly outcomes: unknown[];
  /** All before this one have passed. */
  private passed = 0;
  private started = false;
  private decided = false;
  /** Who had ended the response, as far as that can be seen. */
  private answeredBy = -1;
  private resource: AsyncResource | undefined = undefined;

  constructor(
    private readonly members: readonly RequestHandler[],
    private readonly req: Request,
    private readonly res: Response,
    private readonly next: NextFunction,
  ) {
    this.outcomes = [];
    for (let index = 0; index < members.length; index++) this.outcomes.push(PENDING);
  }

  start(index: number): void {
    try {
      const member = this.members[index] as RequestHandler;
      const returned: unknown = member(this.req, this.res, (outcome?: unknown) => {
        // What Express takes for "no error".
        this.settle(index, outcome ? outcome : PASSED);
      });
      // Without a reason there must be an error, else it would pass.
      if (isThenable(returned)) {
        returned.then(undefined, (reason: unknown) =>
          this.settle(index, reason || new Error('Rejected promise')),
        );
      }
    } catch (error) {
      this.settle(index, error || new Error('Nothing was thrown'));
    }
    this.noteAnswer(index);
  }

  allStarted(): void {
    this.started = true;
    this.decide();
    if (this.decided) return;

    // Whoever is last brings its own context along, such as that of a shared connection. What follows has to run
    // in the request's.
    this.resource = new AsyncResource('signalbox.inParallel');
    this.res.once('finish', () => this.answeredMeanwhile());
  }

  private settle(index: number, outcome: unknown): void {
    if (this.outcomes[index] !== PENDING) {
      if (outcome !== PASSED) this.reportLate(index, outcome);
      return;
    }
    this.outcomes[index] = outcome;
    if (!this.started || this.decided) return;
    this.noteAnswer(index);
    this.decide();
  }

  private decide(): void {
    for (; this.passed < this.outcomes.length; this.passed++) {
      const outcome = this.outcomes[this.passed];
      if (outcome === PENDING) return;
      if (outcome !== PASSED) return this.conclude(outcome);
    }
    this.conclude(undefined);
  }

  private conclude(outcome: unknown): void {
    this.decided = true;
    const { req, res } = this;
    if (res.writableEnded) {
      // The deadline has answered, and told the error handler.
      if (facts(req).timedOut !== true) this.leave(this.mistake(outcome));
    } else if (res.closed || req.socket.destroyed) {
      this.leave(outcome ?? new RequestAbortedError());
    } else {
      this.leave(outcome);
    }
  }

  private leave(outcome: unknown): void {
    if (this.resource === undefined) this.next(outcome);
    else this.resource.runInAsyncScope(this.next, undefined, outcome);
  }

  private noteAnswer(index: number): void {
    if (this.answeredBy === -1 && this.res.writableEnded) this.answeredBy = index;
  }

  /** The response is out while members are awaited: no `next` will come from the one that sent it. */
  private answeredMeanwhile(): void {
    if (this.decided) return;
    this.decided = true;
    if (facts(this.req).timedOut !== true) this.leave(this.mistake(undefined));
  }

  private mistake(cause: unknown): InternalServerError {
    const pending = this.members.filter((_member, index) => this.outcomes[index] === PENDING);
    const answered = this.members[this.answeredBy];
    const suspects = answered === undefined ? pending : [answered];
    const names = suspects.map((member) => `"${nameOf(member)}"`).join(' or ');
    return new InternalServerError(
      `inParallel: ${names || 'a member'} answered the request by itself; a member has to call next, or next(error) to refuse`,
      { code: 'answered_in_parallel', cause },
    );
  }

  /** It is too late for the request, but a failure that nobody hears of would stay. Once for each middleware. */
  private reportLate(index: number, outcome: unknown): void {
    const member = this.members[index];
    if (member === undefined || warnedOf.has(member) || outcome === 'route' || outcome === 'router') return;
    warnedOf.add(member);
    const error = outcome instanceof Error ? outcome : new Error(String(outcome));
    const name = nameOf(member);
    process.emitWarning(
      `inParallel: "${name}" failed after it had called next: ${error.stack ?? error.message}`,
    );
  }
}

function nameOf(member: RequestHandler | undefined): string {
  return member === undefined || member.name === '' ? 'an anonymous middleware' : member.name;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
