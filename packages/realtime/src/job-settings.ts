import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  requireText,
} from '@signalbox/options';
import { redisLink } from '@signalbox/redis';
import type { JobKind, JobsOptions } from './job-options.js';
import type { JobStore } from './job-store.js';
import { type RealtimeLog, stderrLog } from './log.js';
import { memoryJobStore } from './memory-job-store.js';
import { redisJobStore } from './redis-job-store.js';

/** {@link JobsOptions} with nothing left open. */
export interface JobSettings {
  readonly kinds: ReadonlyMap<string, JobKind>;
  readonly store: JobStore;
  readonly isShared: boolean;
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly maxRunning: number;
  readonly maxRunningPerOwner: number;
  readonly maxEvents: number;
  readonly maxEventBytes: number;
  readonly maxResultBytes: number;
  readonly isClosedWhenDown: boolean;
  readonly log: RealtimeLog;
}

type AnyOptions = JobsOptions<Record<string, unknown>>;

const OPTIONS: readonly (keyof AnyOptions)[] = [
  ...([
    'kinds',
    'redis',
    'prefix',
    'ttlMs',
    'leaseMs',
    'maxRunning',
    'maxRunningPerOwner',
    'maxEvents',
  ] as const),
  ...(['maxEventBytes', 'maxResultBytes', 'maxJobs', 'onStoreDown', 'log'] as const),
];

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveJobOptions(options: AnyOptions): JobSettings {
  requireObject('jobs', 'options', options);
  refuseUnknownOptions('jobs', options, OPTIONS);
  const { redis, prefix = 'signalbox:realtime:job:', ttlMs = 600_000, leaseMs = 3_000 } = options;
  const { maxRunning = 100, maxRunningPerOwner = 10, maxEvents = 1_000, maxJobs = 10_000 } = options;
  const {
    maxEventBytes = 16_384,
    maxResultBytes = 1_000_000,
    onStoreDown = 'local',
    log = stderrLog,
  } = options;

  requireText('jobs', 'prefix', prefix);
  requireMilliseconds('jobs', 'ttlMs', ttlMs, 1_000);
  requireMilliseconds('jobs', 'leaseMs', leaseMs, 100);
  for (const [name, value] of Object.entries({
    maxRunning,
    maxRunningPerOwner,
    maxEventBytes,
    maxResultBytes,
    maxJobs,
  })) {
    requireInteger('jobs', name, value, 1);
  }
  requireInteger('jobs', 'maxEvents', maxEvents, 2, 100_000);
  requireOneOf('jobs', 'onStoreDown', onStoreDown, ['local', 'closed']);
  requireObject('jobs', 'log', log);
  requireFunction('jobs', 'log.error', Reflect.get(log, 'error'));
  const kinds = kindsOf(options.kinds);

  return {
    kinds,
    store:
      redis === undefined
        ? memoryJobStore({ leaseMs, ttlMs, maxJobs: Math.max(maxJobs, maxRunning) })
        : redisJobStore({ link: redisLink(redis), prefix, leaseMs, ttlMs }),
    isShared: redis !== undefined,
    ttlMs,
    leaseMs,
    maxRunning,
    maxRunningPerOwner,
    maxEvents,
    maxEventBytes,
    maxResultBytes,
    isClosedWhenDown: onStoreDown === 'closed',
    log,
  };
}

function kindsOf(kinds: AnyOptions['kinds']): ReadonlyMap<string, JobKind> {
  requireObject('jobs', 'kinds', kinds);
  const known = new Map<string, JobKind>();
  for (const [name, given] of Object.entries(kinds)) {
    const option = `kinds.${name}`;
    // It begins the names of events, `search_progress`, and stands in Redis.
    if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) {
      throw new TypeError(`jobs: "${option}" must be named by letters, digits, - and _`);
    }
    const definition = typeof given === 'function' ? { run: given } : given;
    requireObject('jobs', option, definition);
    refuseUnknownOptions(`jobs: "${option}"`, definition, ['run', 'timeoutMs', 'maxAttempts']);
    const { run, timeoutMs = 120_000, maxAttempts = 3 } = definition;
    requireFunction('jobs', `${option}.run`, run);
    requireMilliseconds('jobs', `${option}.timeoutMs`, timeoutMs);
    requireInteger('jobs', `${option}.maxAttempts`, maxAttempts, 1);
    known.set(name, { run, timeoutMs, maxAttempts });
  }
  return known;
}
