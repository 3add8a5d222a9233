import { refuseUnknownOptions, requireBoolean, wrongOption } from '@signalbox/options';
import type { Request, RequestHandler, Response } from 'express';
import { formatSpan } from './server-timing.js';

/** Options of {@link timed}. */
export interface TimedOptions {
  /**
   * Puts `_meta: { duration, timestamp }` into JSON objects.
   * @default true
   */
  meta?: boolean | undefined;
  /**
   * Sends `Server-Timing`, to everybody or to those of whom the function says so: how long the parts took can tell
   * an attacker what was found.
   * @default true
   */
  header?: boolean | ((req: Request) => boolean) | undefined;
}

/** What is measured of one request. */
interface Timing {
  readonly startedAt: number;
  readonly spans: string[];
  readonly meta: boolean;
  readonly header: boolean | ((req: Request) => boolean);
  readonly json: Response['json'];
  readonly writeHead: Response['writeHead'];
}

const TIMING: unique symbol = Symbol('signalbox.timing');

/** A request or a response, before or after `timed()`. */
interface Timeable {
  [TIMING]?: Timing;
}

/** Enough for any page of a browser's tools, and too few to fill the header block. */
const MAX_SPANS = 32;

/**
 * Tells how long the answer took: `_meta: { duration, timestamp }` in the JSON object that the handler sends
 * (seconds, ISO 8601), and a `Server-Timing` field with the named spans of {@link span} and {@link timeSpan}
 * (W3C Server Timing), in milliseconds.
 *
 * The time begins where this is mounted. Arrays, texts and numbers are sent as they are; fields of the body's own
 * `_meta` stay. Mounted twice, the first counts.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.get('/search', timed(), async (req, res) => {
 *   res.json({ results: await timeSpan(req, 'engine', () => search(req.query)) });
 * });
 */
export function timed(options: TimedOptions = {}): RequestHandler {
  refuseUnknownOptions('timed', options, ['meta', 'header']);
  const { meta = true, header = true } = options;
  requireBoolean('timed', 'meta', meta);
  if (typeof header !== 'boolean' && typeof header !== 'function') {
    throw wrongOption('timed', 'header', 'true, false or a function', header);
  }

  return function timedMiddleware(req: Request & Timeable, res: Response & Timeable, next) {
    if (res[TIMING] !== undefined) return next();
    const timing: Timing = {
      startedAt: performance.now(),
      spans: [],
      meta,
      header,
      json: res.json,
      writeHead: Reflect.get(res, 'writeHead'),
    };
    req[TIMING] = timing;
    res[TIMING] = timing;
    if (meta) res.json = timedJson;
    if (header !== false) res.writeHead = timedWriteHead;
    next();
  };
}

/**
 * Begins a span and returns the function that ends it; ending it again does nothing. Without `timed()` it measures
 * nothing. Only spans that have ended when the headers leave are sent.
 *
 * @param target the request or the response
 * @param name a token such as `db`; anything else is put into the description
 */
export function span(target: Request | Response, name: string): () => void {
  const timing = (target as Timeable)[TIMING];
  if (timing === undefined || timing.header === false) return doNothing;

  const startedAt = performance.now();
  let ended = false;
  return () => {
    if (ended || timing.spans.length >= MAX_SPANS) return;
    ended = true;
    timing.spans.push(formatSpan(name, performance.now() - startedAt));
  };
}

/** Measures a function, or the promise that it returns, as a {@link span}. Returns what it returns. */
export function timeSpan<Result>(target: Request | Response, name: string, fn: () => Result): Result {
  const end = span(target, name);
  let result: Result;
  try {
    result = fn();
  } catch (error) {
    end();
    throw error;
  }
  if (result instanceof Promise) result.then(end, end);
  else end();
  return result;
}

function doNothing(): void {
  // There is nothing to end.
}

function timedJson(this: Response & Timeable, body?: unknown): Response {
  const timing = this[TIMING] as Timing;
  return Reflect.apply(timing.json, this, [withMeta(body, timing.startedAt)]);
}

function withMeta(body: unknown, startedAt: number): unknown {
  const value = hasToJson(body) ? body.toJSON() : body;
  if (!isObject(value)) return body;
  const own = value['_meta'];
  const duration = Math.round((performance.now() - startedAt) * 1000) / 1_000_000;
  const meta = { duration, timestamp: new Date().toISOString(), ...(isObject(own) ? own : undefined) };
  return { ...value, _meta: meta };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasToJson(body: unknown): body is { toJSON(): unknown } {
  return (
    typeof body === 'object' && body !== null && typeof (body as { toJSON?: unknown }).toJSON === 'function'
  );
}

/** Node calls it for every response, also where the handler only writes. */
function timedWriteHead(this: Response & Timeable, ...args: unknown[]): Response {
  const timing = this[TIMING] as Timing;
  if (!this.headersSent && isWanted(timing.header, this.req)) {
    const total = formatSpan('total', performance.now() - timing.startedAt);
    this.appendHeader('Server-Timing', [...timing.spans, total].join(', '));
  }
  return Reflect.apply(timing.writeHead, this, args);
}

const warnedOf = new WeakSet<(req: Request) => boolean>();

/** What it throws would leave `res.end()`, that of the error handler, too, and end the process. */
function isWanted(header: Timing['header'], req: Request): boolean {
  if (typeof header === 'boolean') return header;
  try {
    const answer: unknown = header(req);
    if (typeof answer === 'object' && answer !== null && 'then' in answer)
      throw new TypeError('it must answer at once, got a promise');
    return Boolean(answer);
  } catch (error) {
    if (!warnedOf.has(header)) {
      warnedOf.add(header);
      const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.emitWarning(`timed: "header" failed, so that no Server-Timing is sent: ${words}`);
    }
    return false;
  }
}
