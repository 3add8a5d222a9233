import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inParallel } from '@signalbox/compose';
import { ForbiddenError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';

describe('any mix of outcomes and delays', () => {
  type Outcome = 'pass' | 'refuse' | 'throw' | 'reject' | 'twice';
  interface Plan {
    outcome: Outcome;
    /** `undefined` is at once, 0 a microtask, anything else a timer. */
    delayMs: number | undefined;
  }

  function memberOf({ outcome, delayMs }: Plan, index: number): RequestHandler {
    const refusal = new ForbiddenError(undefined, { details: index });
    const act = (next: (error?: unknown) => void): void => {
      if (outcome === 'throw' || outcome === 'reject') throw refusal;
      next(outcome === 'refuse' ? refusal : undefined);
      if (outcome === 'twice') next();
    };
    if (delayMs === undefined && outcome !== 'reject') return (_req, _res, next) => act(next);
    return async (_req, _res, next) => {
      if (delayMs !== undefined && delayMs > 0) await after(delayMs);
      act(next);
    };
  }

  it('ends as the members would have one after the other, with one answer', async () => {
    let members: RequestHandler[] = [];
    let handled = 0;
    const app = express();
    // Built for every request, so that one server serves all the cases.
    app.use((req, res, next) => inParallel(members)(req, res, next));
    app.use((_req, res) => {
      handled += 1;
      res.json('handled');
    });
    const tell: ErrorRequestHandler = (error: ForbiddenError, _req, res, _next) => {
      handled += 1;
      res.json(error.details);
    };
    app.use(tell);
    const url = await listen(app);

    const plan = fc.record<Plan>({
      outcome: fc.constantFrom('pass', 'pass', 'pass', 'refuse', 'throw', 'reject', 'twice'),
      delayMs: fc.constantFrom(undefined, undefined, 0, 1, 3, 6),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { maxLength: 6 }), async (plans) => {
        members = plans.map(memberOf);
        handled = 0;
        const first = plans.findIndex(({ outcome }) => outcome !== 'pass' && outcome !== 'twice');
        const answer: unknown = await (await fetch(url)).json();
        expect(answer).toBe(first === -1 ? 'handled' : first);
        expect(handled).toBe(1);
      }),
      { numRuns: 80 },
    );
  });
});

describe('bad arguments', () => {
  it('are refused at construction', () => {
    const errorless: RequestHandler = (_req, _res, next) => next();
    const errorMiddleware: ErrorRequestHandler = (_error, _req, _res, _next) => undefined;
    // @ts-expect-error: a text is no middleware
    expect(() => inParallel(errorless, 'x')).toThrow(
      'inParallel: "members[1]" must be a middleware, got "x"',
    );
    // @ts-expect-error: neither is an error handler
    expect(() => inParallel(errorMiddleware)).toThrow(
      'inParallel: "members[0]" must be a middleware, got an error handler',
    );
    expect(() => inParallel(express.Router())).toThrow('got a router or an app: mount it by itself');
    expect(() => inParallel(express())).toThrow('got a router or an app: mount it by itself');
  });
});

describe('a client that goes away while its request waits behind another one', () => {
  it('keeps the handler from running; the error handler sees status 499', async () => {
    const waiting: { socket: Socket; next: () => void }[] = [];
    const handled: string[] = [];
    const errors: unknown[] = [];
    const app = express();
    app.use(inParallel((req, _res, next) => void waiting.push({ socket: req.socket, next })));
    app.use((req, _res) => void handled.push(req.url));
    app.use(((error, _req, _res, _next) => errors.push(error)) satisfies ErrorRequestHandler);

    const url = new URL(await listen(app));
    const client = connect(Number(url.port), url.hostname);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2));
    await expect.poll(() => waiting.length).toBe(2);
    client.destroy();
    await expect.poll(() => waiting.every(({ socket }) => socket.destroyed)).toBe(true);
    for (const { next } of waiting) next();

    const gone = expect.objectContaining({ status: 499, code: 'client_closed_request' }) as unknown;
    expect(errors).toEqual([gone, gone]);
    expect(handled).toEqual([]);
  });
});
