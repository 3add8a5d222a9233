import type { Response } from 'express';

/** What Express sets when it answers OPTIONS by itself. */
const FIELDS = ['Allow', 'Content-Length', 'Content-Type', 'X-Content-Type-Options'] as const;

/**
 * Keeps Express from answering OPTIONS by itself at the end of the next router, and calls `instead` with what it would
 * have allowed: it knows that router's methods alone. What a handler answers goes its way.
 *
 * @returns a function that ends this
 */
export function holdAutomaticOptions(res: Response, instead: (allow: string) => void): () => void {
  const before = FIELDS.map((field) => [field, res.getHeader(field)] as const);
  const end: unknown = Reflect.get(res, 'end');
  const writeHead: unknown = Reflect.get(res, 'writeHead');
  let isHolding = true;

  /** Some middleware, such as compression's, sends the head before it calls `end`, which follows then. */
  function writeHeadUnlessAutomatic(this: Response, ...args: unknown[]): unknown {
    if (isHolding && automaticAllow(res) !== undefined) return this;
    return typeof writeHead === 'function' ? Reflect.apply(writeHead, this, args) : this;
  }

  function endUnlessAutomatic(this: Response, ...args: unknown[]): unknown {
    const allow = isHolding ? automaticAllow(res) : undefined;
    release();
    if (allow === undefined || args[0] !== allow)
      return typeof end === 'function' ? Reflect.apply(end, this, args) : this;

    for (const [field, value] of before) {
      if (value === undefined) res.removeHeader(field);
      else res.setHeader(field, value);
    }
    instead(allow);
    return this;
  }

  function release(): void {
    isHolding = false;
    // Somebody may have wrapped them since.
    if (Reflect.get(res, 'end') === endUnlessAutomatic) Reflect.set(res, 'end', end);
    if (Reflect.get(res, 'writeHead') === writeHeadUnlessAutomatic) Reflect.set(res, 'writeHead', writeHead);
  }

  Reflect.set(res, 'end', endUnlessAutomatic);
  Reflect.set(res, 'writeHead', writeHeadUnlessAutomatic);
  return release;
}

/** What Express is about to answer OPTIONS with, where it does so by itself. */
function automaticAllow(res: Response): string | undefined {
  const allow = res.getHeader('Allow');
  const isAutomatic =
    !res.headersSent &&
    typeof allow === 'string' &&
    res.getHeader('Content-Type') === 'text/plain' &&
    Number(res.getHeader('Content-Length')) === Buffer.byteLength(allow);
  return isAutomatic ? allow : undefined;
}

/** Answers OPTIONS as Express does (RFC 9110 section 9.3.7). */
export function answerOptions(res: Response, allowed: ReadonlySet<string>): void {
  const allow = [...allowed].toSorted().join(', ');
  res.setHeader('Allow', allow);
  res.setHeader('Content-Length', Buffer.byteLength(allow));
  res.setHeader('Content-Type', 'text/plain');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.end(allow);
}
