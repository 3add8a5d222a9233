import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireText,
} from '@signalbox/options';

/**
 * Looks at one dependency. Resolving means healthy, throwing means unhealthy; to say more, it returns
 * `'degraded'` or a {@link CheckReport}. `false` and objects with `ok: false`, such as a fetch
 * `Response`, mean unhealthy too.
 *
 * `signal` is aborted when the time is up. A check that does not heed it is not started again until
 * it settles.
 */
export interface CheckFunction {
  (signal: AbortSignal): unknown;
  /** Called once when the health handle is closed, to free what the check holds. */
  readonly close?: (() => void) | undefined;
}

export interface CheckOptions {
  /**
   * Whether the app cannot work without it. A critical check that fails makes `/health` and `/readyz`
   * answer 503. What all instances share, such as Redis, should not be critical: one blip of it would
   * take every instance out of service at once.
   * @default false
   */
  critical?: boolean | undefined;
  /**
   * When a run counts as failed, in milliseconds.
   * @default 1_000
   */
  timeoutMs?: number | undefined;
  /**
   * Pause between the end of one run and the next, in milliseconds, give or take a tenth. While the
   * last result disagrees with the status, a fifth of it.
   * @default 5_000
   */
  everyMs?: number | undefined;
  /**
   * Failures in a row that make it unhealthy.
   * @default 2
   */
  failuresToFall?: number | undefined;
  /**
   * Successes in a row that end being unhealthy.
   * @default 1
   */
  successesToRise?: number | undefined;
}

/** A named check with its policy, made by {@link check}. */
export interface Check
  extends Readonly<Required<{ [K in keyof CheckOptions]: NonNullable<CheckOptions[K]> }>> {
  readonly name: string;
  readonly run: CheckFunction;
}

const OPTIONS = ['critical', 'timeoutMs', 'everyMs', 'failuresToFall', 'successesToRise'] as const;

/**
 * Names a check and says how it is judged.
 *
 * @throws {TypeError} when the name is empty, `run` is no function or an option is out of range
 *
 * @example
 * check('redis', () => redis.ping(), { timeoutMs: 500 });
 */
export function check(name: string, run: CheckFunction, options: CheckOptions = {}): Check {
  requireText('check', 'name', name);
  requireFunction('check', 'run', run);
  refuseUnknownOptions('check', options, OPTIONS);
  const {
    critical = false,
    timeoutMs = 1_000,
    everyMs = 5_000,
    failuresToFall = 2,
    successesToRise = 1,
  } = options;

  requireBoolean('check', 'critical', critical);
  requireMilliseconds('check', 'timeoutMs', timeoutMs);
  requireMilliseconds('check', 'everyMs', everyMs);
  requireInteger('check', 'failuresToFall', failuresToFall, 1);
  requireInteger('check', 'successesToRise', successesToRise, 1);

  return Object.freeze({ name, run, critical, timeoutMs, everyMs, failuresToFall, successesToRise });
}
