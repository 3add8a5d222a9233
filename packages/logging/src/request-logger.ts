import { randomUUID } from 'node:crypto';
import { facts } from '@signalbox/context';
import { signals } from '@signalbox/signals';
import type { Request, RequestHandler, Response } from 'express';
import type { LevelWithSilent, Logger } from 'pino';
import { createLogger } from './create-logger.js';
import { beginExchange, endExchange, exchangeOf, isLogged, type Exchange } from './exchange.js';
import { internalsOf } from './logger-internals.js';
import { pinoHttp } from './pino-http.js';
import { resolveRequestLoggerOptions, type RequestLoggerOptions } from './request-logger-options.js';
import { requestWriter } from './request-line.js';
import { rootLogger } from './root-logger.js';

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express lets its types be augmented
  namespace Express {
    interface Request {
      /** The request's own logger: its lines carry `reqId`. Set by `requestLogger()`. */
      log: Logger;
    }
  }
}

/**
 * Logs one line for every request, when it is over, and gives each request a logger, `req.log`.
 *
 * The line says what became of the request: `ok`, `error`, `aborted` by the client, or `timeout`. A 5xx
 * is logged at `error` with the error that caused it, and its causes; a 401, 403 or 429 at `warn`; the
 * rest at `info`. A slow request gets a warning of its own. Mount it after `requestContext()` and
 * before everything else.
 *
 * @throws {TypeError} when an option is not what it must be, at construction
 *
 * @example
 * app.use(requestContext(), requestLogger({ logger: createLogger() }));
 */
export function requestLogger(options: RequestLoggerOptions = {}): RequestHandler {
  const { slowMs, ignore, ...rest } = resolveRequestLoggerOptions(options);
  const logger = rest.logger ?? rootLogger() ?? createLogger();
  const { redactor, trust, gatherNext } = internalsOf(logger);
  const { title, line } = requestWriter(rest, redactor);

  const logRequest = pinoHttp<Request, Response>({
    logger,
    // One child a request, with its id: pino-http binds "the request", and the serializer says what of it.
    customAttributeKeys: { req: 'reqId' },
    wrapSerializers: false,
    serializers: {
      reqId: requestId,
      err: (error) => (error instanceof Error ? redactor.value(error) : error),
    },
    genReqId: () => randomUUID(),
    customLogLevel: conclude,
    customSuccessObject: describe,
    customErrorObject: describe,
    customSuccessMessage: message,
    customErrorMessage: message,
  });

  /** Called by pino-http first, when the response is complete or the connection is gone. */
  function conclude(req: Request, res: Response, failure?: unknown): LevelWithSilent {
    const exchange = endExchange(req, res, failure);
    const isSilent = facts(req).silent === true || ignore?.(req) === true;
    if (isSilent && exchange.status < 500) return 'silent';

    const thresholdMs = facts(req).slowMs ?? slowMs;
    if (exchange.durationMs > thresholdMs) reportSlow(req, exchange, thresholdMs);
    const level = levelOf(exchange);
    return logger.isLevelEnabled(level) ? level : 'silent';
  }

  function describe(req: Request, res: Response): object {
    const object = line(req, res, exchangeOf(res));
    trust(object);
    gatherNext();
    return object;
  }

  function message(req: Request, res: Response): string {
    const exchange = exchangeOf(res);
    return `${title(req, exchange)} ${exchange.status}`;
  }

  function reportSlow(req: Request, exchange: Exchange, thresholdMs: number): void {
    const { method } = req;
    const { durationMs, route, status } = exchange;
    req.log.warn(
      { method, route, status, durationMs: Math.round(durationMs), thresholdMs },
      `Slow request: ${title(req, exchange)} took ${Math.round(durationMs)}ms`,
    );
    if (signals.slowRequest.hasSubscribers) {
      signals.slowRequest.publish({ method, route, durationMs, thresholdMs });
    }
  }

  return function requestLoggerMiddleware(req, res, next) {
    // Mounted twice, in the app and in a router, it still logs once.
    if (!isLogged(res)) {
      beginExchange(req, res);
      logRequest(req, res);
    }
    next();
  };
}

function levelOf({ outcome, status }: Exchange): LevelWithSilent {
  if (outcome === 'aborted') return 'info';
  if (outcome !== 'ok' || status >= 500) return 'error';
  return status === 401 || status === 403 || status === 429 ? 'warn' : 'info';
}

/** What pino-http binds is the request; what somebody logs under the name is printed as it is. */
function requestId(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'id' in value ? value.id : value;
}
