import { refuseUnknownOptions, requireMilliseconds, wrongOption } from '@signalbox/options';
import type { Backoff } from './slot.js';

/** A logger such as pino's. */
export interface ModuleLog {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Options of {@link modules}. */
export interface ModulesOptions {
  /**
   * Told of every module that becomes ready or fails.
   * @default a process warning for each failure, where nobody listens to `signals.moduleState`
   */
  log?: ModuleLog | undefined;
  /**
   * How long to wait after the first failure, in milliseconds; doubled after each further one.
   * @default 1_000
   */
  retryMinMs?: number | undefined;
  /**
   * The longest wait between two tries, in milliseconds.
   * @default 30_000
   */
  retryMaxMs?: number | undefined;
}

const OPTIONS = ['log', 'retryMinMs', 'retryMaxMs'];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ModulesOptions): { log: ModuleLog | undefined; backoff: Backoff } {
  refuseUnknownOptions('modules', options, OPTIONS);
  const { log, retryMinMs = 1000, retryMaxMs = Math.max(30_000, retryMinMs) } = options;
  requireMilliseconds('modules', 'retryMinMs', retryMinMs);
  requireMilliseconds('modules', 'retryMaxMs', retryMaxMs, retryMinMs);
  if (log !== undefined && (typeof log?.info !== 'function' || typeof log.error !== 'function')) {
    throw wrongOption('modules', 'log', 'a logger with the methods info and error', log);
  }
  return { log, backoff: { minMs: retryMinMs, maxMs: retryMaxMs } };
}
