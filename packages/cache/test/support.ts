import { request, type IncomingHttpHeaders } from 'node:http';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express, type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Sending {
  method?: string | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | undefined;
  /** The path as it is sent, which `fetch` would tidy up. */
  path?: string | undefined;
}

/** `fetch` does not let some fields and paths through, and has a cache's habits of its own. */
export function send(url: string, sending: Sending = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body = '' } = sending;
  const { hostname, port, pathname, search } = new URL(url);
  const path = sending.path ?? pathname + search;
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body === '' ? undefined : body);
  });
}

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

/** A client as an app has one, with ioredis' own defaults. */
export function redisClient(port: number): Redis {
  const client = new Redis({ port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** Looks until `probe` returns true, and fails after `timeoutMs`. */
export async function eventually(probe: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
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
