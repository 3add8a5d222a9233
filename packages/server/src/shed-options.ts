import type { Request } from 'express';
import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireNumber,
  requireObject,
  wrongOption,
  type NumberBounds,
} from '@signalbox/options';
import type { PressureLimits } from './pressure.js';

/** The classes of work that there are unless `priorities` names others. */
export type DefaultPriority = 'health' | 'auth' | 'search' | 'bulk';

/** Options of `shedLoad`. All are optional. */
export interface ShedLoadOptions<Priority extends string = DefaultPriority> {
  /**
   * Requests that may be under way at once.
   * @default 1_000
   */
  maxInFlight?: number | undefined;
  /** Bound of the event loop's delay, in milliseconds, averaged over the last few samples. */
  eventLoopDelayMs?: number | undefined;
  /** Bound of the event loop's utilization, above 0 and at most 1, averaged likewise. */
  eventLoopUtilization?: number | undefined;
  /** Bound of the process's resident memory, in bytes. */
  memoryBytes?: number | undefined;
  /** Bound of the used heap as a fraction of what V8 may use at most, above 0 and at most 1. */
  heapFraction?: number | undefined;
  /**
   * The classes of work, and the fraction of every limit at which each is turned away. `Infinity`: never.
   * @default { health: Infinity, auth: 1, search: 0.9, bulk: 0.6 }
   */
  priorities?: Readonly<Record<Priority, number>> | undefined;
  /**
   * The class that a request belongs to. By default, and where it returns `undefined`, a request is
   * turned away at the limits themselves.
   */
  priority?: ((req: Request) => NoInfer<Priority> | undefined) | undefined;
  /**
   * When a client that was turned away may try again, in seconds.
   * @default 5
   */
  retryAfterSeconds?: number | undefined;
  /**
   * How often event loop and memory are looked at, in milliseconds.
   * @default 50
   */
  sampleEveryMs?: number | undefined;
}

const OPTIONS: readonly (keyof ShedLoadOptions)[] = [
  'maxInFlight',
  'eventLoopDelayMs',
  'eventLoopUtilization',
  'memoryBytes',
  'heapFraction',
  'priorities',
  'priority',
  'retryAfterSeconds',
  'sampleEveryMs',
];

const DEFAULT_PRIORITIES: Readonly<Record<DefaultPriority, number>> = {
  health: Number.POSITIVE_INFINITY,
  auth: 1,
  search: 0.9,
  bulk: 0.6,
};

const FRACTION: NumberBounds = { above: 0, max: 1 };

/** {@link ShedLoadOptions} with nothing left open. */
export interface ShedLoadSettings {
  readonly maxInFlight: number;
  readonly limits: PressureLimits;
  readonly priorities: Readonly<Record<string, number>>;
  readonly priority: ((req: Request) => string | undefined) | undefined;
  readonly retryAfterSeconds: number;
  readonly sampleEveryMs: number;
}

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveShedLoadOptions<Priority extends string>(
  options: ShedLoadOptions<Priority>,
): ShedLoadSettings {
  requireObject('shedLoad', 'options', options);
  refuseUnknownOptions('shedLoad', options, OPTIONS);
  const { maxInFlight = 1_000, retryAfterSeconds = 5, sampleEveryMs = 50, priority } = options;
  const { eventLoopDelayMs, eventLoopUtilization, memoryBytes, heapFraction } = options;

  requireInteger('shedLoad', 'maxInFlight', maxInFlight, 1);
  requireInteger('shedLoad', 'retryAfterSeconds', retryAfterSeconds, 1);
  requireMilliseconds('shedLoad', 'sampleEveryMs', sampleEveryMs);
  if (eventLoopDelayMs !== undefined) requireMilliseconds('shedLoad', 'eventLoopDelayMs', eventLoopDelayMs);
  if (memoryBytes !== undefined) requireInteger('shedLoad', 'memoryBytes', memoryBytes, 1);
  if (eventLoopUtilization !== undefined) {
    requireNumber('shedLoad', 'eventLoopUtilization', eventLoopUtilization, FRACTION);
  }
  if (heapFraction !== undefined) requireNumber('shedLoad', 'heapFraction', heapFraction, FRACTION);
  if (priority !== undefined) requireFunction('shedLoad', 'priority', priority);

  return {
    maxInFlight,
    limits: { eventLoopDelayMs, eventLoopUtilization, memoryBytes, heapFraction },
    priorities: resolvePriorities(options),
    priority,
    retryAfterSeconds,
    sampleEveryMs,
  };
}

function resolvePriorities<Priority extends string>({
  priorities,
  priority,
}: ShedLoadOptions<Priority>): Readonly<Record<string, number>> {
  if (priorities === undefined) return DEFAULT_PRIORITIES;
  if (priority === undefined) {
    throw new TypeError('shedLoad: "priorities" needs "priority", which says what belongs to which');
  }
  requireObject('shedLoad', 'priorities', priorities);
  for (const [name, fraction] of Object.entries<unknown>(priorities)) {
    const isFraction = typeof fraction === 'number' && fraction > 0 && fraction <= 1;
    if (isFraction || fraction === Infinity) continue;
    const wanted = 'a number above 0 and at most 1, or Infinity';
    throw wrongOption('shedLoad', `priorities.${name}`, wanted, fraction);
  }
  return { ...priorities };
}
