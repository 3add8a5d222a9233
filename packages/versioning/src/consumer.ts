import type { Request } from 'express';

/** Names who calls. It is kept and shown in reports: no secret, no address. */
export type ConsumerFunction = (req: Request) => string | undefined;

/** Stands for callers of whom nothing is known. */
const ANONYMOUS = 'anonymous';

const MAX_LENGTH = 128;

/** Where `@signalbox/auth` puts who asks. */
type Authenticated = Request & { readonly auth?: { readonly subject?: unknown } | undefined };

/** The principal, `req.auth.subject`. */
export const principal: ConsumerFunction = (req) => {
  const subject = (req as Authenticated).auth?.subject;
  return typeof subject === 'string' ? subject : undefined;
};

/**
 * Makes of a caller's name what can be kept: bounded, of one line. A function that fails must not take the process
 * with it, since it is asked when the response is over; it is told once.
 */
export function consumerNamer(name: ConsumerFunction): (req: Request) => string {
  let hasWarned = false;

  return function consumerOf(req) {
    let text: unknown;
    try {
      text = name(req);
    } catch (error) {
      if (!hasWarned) process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      hasWarned = true;
    }
    if (typeof text !== 'string' || text === '') return ANONYMOUS;
    // oxlint-disable-next-line no-control-regex -- those are what is meant
    return text.slice(0, MAX_LENGTH).replace(/[\u0000-\u001f\u007f]/g, '?');
  };
}
