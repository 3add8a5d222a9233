import { types } from 'node:util';
import { refuseUnknownOptions, requireFunction, requireNumber, requireText } from '@signalbox/options';
import type { Logger } from 'pino';
import { log } from './log.js';

/** Options of {@link logPerformance}. */
export interface LogPerformanceOptions {
  /**
   * A call that takes longer is logged as a warning, in milliseconds. `Infinity` for never.
   * @default 1_000
   */
  slowMs?: number | undefined;
  /**
   * Where to log.
   * @default the logger of the running request, else the root logger
   */
  logger?: Logger | undefined;
}

/**
 * Wraps a function so that the time of each call is logged: at `debug`, or as a warning when it was
 * slow. The result, the error and `this` pass through. A promise is timed until it settles.
 *
 * An error is noted as `outcome: "error"` without its details: whoever handles it logs it.
 *
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * const rank = logPerformance('rank', rankResults, { slowMs: 50 });
 */
export function logPerformance<This, Args extends unknown[], Result>(
  name: string,
  fn: (this: This, ...args: Args) => Result,
  options: LogPerformanceOptions = {},
): (this: This, ...args: Args) => Result {
  requireText('logPerformance', 'name', name);
  requireFunction('logPerformance', 'fn', fn);
  refuseUnknownOptions('logPerformance', options, ['slowMs', 'logger']);
  const { slowMs = 1_000, logger } = options;
  requireNumber('logPerformance', 'slowMs', slowMs, { above: 0 });

  function report(startedAt: number, outcome: 'ok' | 'error'): void {
    const durationMs = Math.round((performance.now() - startedAt) * 1_000) / 1_000;
    const isSlow = durationMs > slowMs;
    const fields = { operation: name, durationMs, outcome };
    const message = `${isSlow ? 'Slow: ' : ''}${name} took ${Math.round(durationMs)}ms`;
    (logger ?? log())[isSlow ? 'warn' : 'debug'](fields, message);
  }

  function timed(this: This, ...args: Args): Result {
    const startedAt = performance.now();
    let result: Result;
    try {
      result = fn.apply(this, args);
    } catch (error) {
      report(startedAt, 'error');
      throw error;
    }
    // Only real promises: to await another thenable, such as a query builder, may be to start it.
    if (!types.isPromise(result)) {
      report(startedAt, 'ok');
      return result;
    }
    return result.then(
      (value) => {
        report(startedAt, 'ok');
        return value;
      },
      (error: unknown) => {
        report(startedAt, 'error');
        throw error;
      },
    ) as Result;
  }

  Object.defineProperty(timed, 'name', { value: fn.name, configurable: true });
  Object.defineProperty(timed, 'length', { value: fn.length, configurable: true });
  return timed;
}
