import { onceOver } from '@signalbox/context';
import { ServiceUnavailableError } from '@signalbox/errors';
import { type RequestShed, signals } from '@signalbox/signals';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { type Gauge, type PressureReason, watchPressure } from './pressure.js';
import { type DefaultPriority, type ShedLoadOptions, resolveShedLoadOptions } from './shed-options.js';

/** A class of work, and whether it is turned away at present. */
interface Level {
  readonly name: string;
  readonly fraction: number;
  readonly maxInFlight: number;
  shedFor: PressureReason | undefined;
}

/** What began at a limit ends when the pressure is this far below it, lest it flutter. */
const RELIEF = 0.85;

/**
 * Turns requests away while the process has too much to do, the less important ones first, so that those it
 * takes are answered in time.
 *
 * A request that is turned away goes to the error handler as a `ServiceUnavailableError`, status 503, code
 * `overloaded`, with `Retry-After` (RFC 9110 section 10.2.3). Requests in flight are counted until their response
 * is sent or their connection is gone. Event loop and memory are sampled in the background.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use(shedLoad({ eventLoopDelayMs: 200, priority: (req) => (req.path === '/livez' ? 'health' : 'search') }));
 */
export function shedLoad<Priority extends string = DefaultPriority>(
  options: ShedLoadOptions<Priority> = {},
): RequestHandler {
  const { maxInFlight, limits, priorities, priority, retryAfterSeconds, sampleEveryMs } =
    resolveShedLoadOptions(options);
  const unclassified = levelOf('default', 1, maxInFlight);
  const levels = new Map(
    Object.entries(priorities).map(([name, fraction]) => [name, levelOf(name, fraction, maxInFlight)]),
  );
  let inFlight = 0;

  watchPressure(limits, sampleEveryMs, (gauges) => {
    judge(unclassified, gauges);
    for (const level of levels.values()) judge(level, gauges);
  });

  function leave(): void {
    inFlight -= 1;
  }

  function classify(req: Request): Level {
    const name = priority?.(req);
    if (name === undefined) return unclassified;
    const level = levels.get(name);
    if (level !== undefined) return level;
    const known = [...levels.keys()].join(', ');
    throw new TypeError(`shedLoad: "priority" returned "${name}", which is none of ${known}`);
  }

  return function shedLoadMiddleware(req: Request, res: Response, next: NextFunction): void {
    const level = classify(req);
    if (level.fraction === Number.POSITIVE_INFINITY) return next();

    const reason = inFlight >= level.maxInFlight ? 'in_flight' : level.shedFor;
    if (reason !== undefined) {
      if (signals.requestShed.hasSubscribers) {
        signals.requestShed.publish({ priority: level.name, reason, retryAfterSeconds });
      }
      return next(overloaded(reason, retryAfterSeconds));
    }

    inFlight += 1;
    onceOver(req, res, leave);
    next();
  };
}

function levelOf(name: string, fraction: number, maxInFlight: number): Level {
  return {
    name,
    fraction,
    maxInFlight: Math.max(1, Math.floor(maxInFlight * fraction)),
    shedFor: undefined,
  };
}

function judge(level: Level, gauges: readonly Gauge[]): void {
  const before = level.shedFor;
  level.shedFor = gauges.find((gauge) => {
    const bound = gauge.reason === before ? level.fraction * RELIEF : level.fraction;
    return gauge.level >= bound;
  })?.reason;
}

function overloaded(reason: RequestShed['reason'], retryAfterSeconds: number): ServiceUnavailableError {
  const cause = reason === 'in_flight' ? 'too many requests are under way' : 'the process has too much to do';
  return new ServiceUnavailableError(`The service is overloaded: ${cause}`, {
    code: 'overloaded',
    retryAfterSeconds,
  });
}
