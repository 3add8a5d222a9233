import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express, type RequestHandler } from 'express';
import { send, type Answer } from '../../../test/support/send.js';

export function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send(url, { headers });
}

/** An app of these, with the error handler behind them. */
function appOf(...handlers: readonly RequestHandler[]): Express {
  const app = express();
  app.use(...handlers, errorHandler());
  return app;
}

export function serving(...handlers: readonly RequestHandler[]): Promise<string> {
  return listen(appOf(...handlers));
}

/** A handler whose answers are counted: the body says which one it is. */
export function counting(
  set: RequestHandler = (_req, _res, next) => next(),
): RequestHandler & { calls: () => number } {
  let calls = 0;
  return Object.assign(
    ((req, res, next) => {
      calls += 1;
      const number = calls;
      void set(req, res, (error?: unknown) => {
        if (error) next(error);
        else if (!res.headersSent) res.end(`answer ${number}`);
      });
    }) satisfies RequestHandler,
    { calls: () => calls },
  );
}

/** A handler that sets these fields. */
export function fields(values: Record<string, string | string[]>, status = 200): RequestHandler {
  return (_req, res, next) => {
    res.status(status);
    for (const [name, value] of Object.entries(values)) res.setHeader(name, value);
    next();
  };
}

/** A clock that stands still until it is set. */
export function clock(): { now: () => number; pass: (seconds: number) => void } {
  let now = Date.now();
  return {
    now: () => now,
    pass: (seconds) => {
      now += seconds * 1_000;
    },
  };
}
