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
  let isHolding = true;
  let releaseEnd: (() => void) | undefined;
  const releaseFields = wrap(res, 'setHeader', (_args, proceed) => {
    const result = proceed();
    if (isHolding && automaticAllow(res) !== undefined) holdEnd();
    return result;
  });

  /** Express ends it next: before what wraps `end`, as compression does, has a part of it sent. */
  function holdEnd(): void {
    releaseEnd?.();
    releaseEnd = wrap(res, 'end', ([body], proceed) => {
      const allow = isHolding ? automaticAllow(res) : undefined;
      if (allow === undefined || body !== allow) return proceed();

      release();
      for (const [field, value] of before) {
        if (value === undefined) res.removeHeader(field);
        else res.setHeader(field, value);
      }
      instead(allow);
      return res;
    });
  }

  function release(): void {
    isHolding = false;
    releaseFields();
    releaseEnd?.();
  }

  return release;
}

type Method = (...args: unknown[]) => unknown;

/** @returns a function that takes it off again */
function wrap(
  res: Response,
  name: 'end' | 'setHeader',
  how: (args: unknown[], proceed: () => unknown) => unknown,
): () => void {
  const inner = Reflect.get(res, name) as Method;
  function wrapper(this: Response, ...args: unknown[]): unknown {
    return how(args, () => Reflect.apply(inner, this, args));
  }
  Reflect.set(res, name, wrapper);
  return () => {
    // Somebody may have wrapped it since.
    if (Reflect.get(res, name) === wrapper) Reflect.set(res, name, inner);
  };
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
