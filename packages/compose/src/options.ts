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
const MAX_MS = 2 ** 31 - 1;

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ModulesOptions): { log: ModuleLog | undefined; backoff: Backoff } {
  for (const option of Object.keys(options)) {
    if (!OPTIONS.includes(option)) throw new TypeError(`modules: there is no option "${option}"`);
  }
  const { log, retryMinMs = 1000, retryMaxMs = Math.max(30_000, retryMinMs) } = options;
  requireMs('retryMinMs', retryMinMs, 1);
  requireMs('retryMaxMs', retryMaxMs, retryMinMs);
  if (log !== undefined && (typeof log?.info !== 'function' || typeof log.error !== 'function')) {
    throw new TypeError('modules: "log" must be a logger with the methods info and error');
  }
  return { log, backoff: { minMs: retryMinMs, maxMs: retryMaxMs } };
}

function requireMs(option: string, value: unknown, min: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= MAX_MS) return;
  throw new TypeError(
    `modules: "${option}" must be an integer from ${min} to ${MAX_MS}, got ${String(value)}`,
  );
}
