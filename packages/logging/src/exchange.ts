import { cutOffBy, facts, routeTemplate } from '@signalbox/context';
import type { Request, Response } from 'express';

/** How a request ended. */
export type Outcome = 'ok' | 'error' | 'aborted' | 'timeout';

/** One request and its response, from the first middleware to the last byte. */
export interface Exchange {
  readonly startedAt: number;
  readonly bytesBefore: number;
  /** Asked at the beginning: of a socket that is gone, nobody knows it any more. */
  readonly address: string | undefined;
  durationMs: number;
  status: number;
  /** Template of the route that answered, `undefined` where none did. */
  route: string | undefined;
  outcome: Outcome;
  /** What the error handler was given, or what has cut off the response. */
  error: unknown;
}

const EXCHANGE: unique symbol = Symbol('signalbox.exchange');

/** The part of a response that belongs to logging. */
type LoggedResponse = Response & { [EXCHANGE]?: Exchange; err?: unknown };

/** Errors that only say that the client went away. */
const ABORTS: ReadonlySet<unknown> = new Set([
  'ECONNABORTED',
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ABORT_ERR',
]);

/** Nginx' own: the client closed the connection before the answer was complete. */
const CLIENT_CLOSED_REQUEST = 499;

export function beginExchange(req: Request, res: LoggedResponse): void {
  res[EXCHANGE] = newExchange(addressOf(req), req.socket.bytesWritten);
  // An error handler that finds this property leaves its error here, and logs nothing itself.
  res.err = undefined;
}

/** `req.ip` parses forwarding fields and makes lists, also where no proxy is trusted and it comes to the peer. */
function addressOf(req: Request): string | undefined {
  return req.app.get('trust proxy') === false ? req.socket.remoteAddress : req.ip;
}

export function isLogged(res: LoggedResponse): boolean {
  return res[EXCHANGE] !== undefined;
}

/** Of a response that is logged. */
export function exchangeOf(res: LoggedResponse): Exchange {
  return res[EXCHANGE] ?? newExchange(undefined, 0);
}

/** Decides how the request ended, when its response is complete or its connection gone. */
export function endExchange(req: Request, res: LoggedResponse, failure: unknown): Exchange {
  const exchange = exchangeOf(res);
  exchange.durationMs = performance.now() - exchange.startedAt;
  exchange.route = routeTemplate(req);
  const cutOff = cutOffBy(res, req.socket);
  // An error handler that is given it later, as after `await pipeline(file, res)`, finds it and tells it no second time.
  res.err ??= cutOff;
  exchange.error = res.err ?? failure;
  exchange.outcome = outcomeOf(req, res, exchange.error, cutOff !== undefined);
  exchange.status = statusOf(res, exchange);
  return exchange;
}

function outcomeOf(req: Request, res: Response, error: unknown, isCutOff: boolean): Outcome {
  if (facts(req).timedOut === true) return 'timeout';
  if (!res.writableFinished) return isCutOff || isServerError(error) ? 'error' : 'aborted';
  if (res.statusCode === CLIENT_CLOSED_REQUEST) return 'aborted';
  if (res.statusCode >= 500) return 'error';
  // Answered as if nothing had happened, yet somebody reported an error.
  return res.statusCode < 400 && isServerError(error) ? 'error' : 'ok';
}

/** The status that was sent; where nothing was, the one that it would have been. */
function statusOf(res: Response, { outcome, error }: Exchange): number {
  if (outcome === 'aborted') return CLIENT_CLOSED_REQUEST;
  if (res.writableFinished || res.headersSent) return res.statusCode;
  if (outcome === 'timeout') return 504;
  return statusOfError(error) ?? 500;
}

function isServerError(error: unknown): boolean {
  if (error === undefined || error === null) return false;
  if (ABORTS.has((error as { code?: unknown }).code)) return false;
  if ((error as { name?: unknown }).name === 'AbortError') return false;
  return (statusOfError(error) ?? 500) >= 500;
}

function statusOfError(error: unknown): number | undefined {
  const { status, statusCode } = Object(error) as { status?: unknown; statusCode?: unknown };
  if (typeof status === 'number') return status;
  return typeof statusCode === 'number' ? statusCode : undefined;
}

function newExchange(address: string | undefined, bytesBefore: number): Exchange {
  return {
    startedAt: performance.now(),
    bytesBefore,
    address,
    durationMs: 0,
    status: 0,
    route: undefined,
    outcome: 'ok',
    error: undefined,
  };
}
