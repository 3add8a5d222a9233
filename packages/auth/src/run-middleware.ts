import type { Request, RequestHandler, Response } from 'express';

/**
 * Runs a middleware by hand: nothing where it called `next` at once, else a promise of that.
 *
 * @throws what the middleware passed to `next` at once, or threw
 */
export function runMiddleware(
  middleware: RequestHandler,
  req: Request,
  res: Response,
): Promise<void> | undefined {
  const run = new Run();
  const returned: unknown = middleware(req, res, (outcome?: unknown) => run.settle(outcome));
  if (returned instanceof Promise)
    returned.catch((error: unknown) => run.settle(error ?? new Error('Rejected')));
  return run.result();
}

class Run {
  private isDone = false;
  private outcome: unknown = undefined;
  private resolve: (() => void) | undefined = undefined;
  private reject: ((reason: Error) => void) | undefined = undefined;

  settle(outcome: unknown): void {
    if (this.isDone) return;
    this.isDone = true;
    this.outcome = outcome;
    if (this.outcome) this.reject?.(this.error());
    else this.resolve?.();
  }

  result(): Promise<void> | undefined {
    if (!this.isDone) {
      return new Promise((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      });
    }
    if (this.outcome) throw this.error();
    return undefined;
  }

  /** `next('route')` has no meaning here: what loads a session cannot choose the route. */
  private error(): Error {
    const { outcome } = this;
    return outcome instanceof Error ? outcome : new Error(`The middleware failed: ${String(outcome)}`);
  }
}
