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
  const wrapped: (() => void)[] = [];
  let isHolding = true;
  let sendHead: (() => unknown) | undefined;

  function wrap(name: 'end' | 'write' | 'writeHead' | 'flushHeaders', how: Wrapper): void {
    const inner: unknown = Reflect.get(res, name);
    if (typeof inner !== 'function') return;
    function wrapper(this: Response, ...args: unknown[]): unknown {
      return how(args, () => Reflect.apply(inner as Method, this, args));
    }
    Reflect.set(res, name, wrapper);
    wrapped.push(() => {
      // Somebody may have wrapped it since.
      if (Reflect.get(res, name) === wrapper) Reflect.set(res, name, inner);
    });
  }

  function release(): void {
    isHolding = false;
    for (const unwrap of wrapped) unwrap();
  }

  /** With an answer that is a handler's after all. */
  function goOn(proceed: () => unknown): unknown {
    if (!res.headersSent) sendHead?.();
    return proceed();
  }

  // Some middleware, such as compression's, sends the head before it calls `end`, which follows then.
  wrap('writeHead', (_args, proceed) => {
    if (!isHolding || automaticAllow(res) === undefined) return proceed();
    sendHead = proceed;
    return res;
  });
  wrap('end', (args, proceed) => {
    const allow = isHolding ? automaticAllow(res) : undefined;
    release();
    if (allow === undefined || args[0] !== allow) return goOn(proceed);

    for (const [field, value] of before) {
      if (value === undefined) res.removeHeader(field);
      else res.setHeader(field, value);
    }
    instead(allow);
    return res;
  });
  // Express does neither: it is a handler's answer, whose head has to go before its body.
  for (const name of ['write', 'flushHeaders'] as const) {
    wrap(name, (_args, proceed) => {
      release();
      return goOn(proceed);
    });
  }
  return release;
}

type Method = (...args: unknown[]) => unknown;
type Wrapper = (args: unknown[], proceed: () => unknown) => unknown;

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
