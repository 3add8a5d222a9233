import type { RedisClient, RedisLink } from '@signalbox/redis';
import type { RealtimeLog } from './log.js';

/** What a job has at hand while it runs. */
export interface JobContext {
  readonly id: string;
  readonly owner: string | null;
  /** Which run of it this is: more than 1 after a process was lost that ran it. */
  readonly attempt: number;
  /** Aborted when the job is cancelled, takes too long, or is run elsewhere. */
  readonly signal: AbortSignal;
  /**
   * Tells how far it is. JSON. What an earlier attempt has told is not told again: with a number `progress` whatever does
   * not go beyond it, without one what is the same.
   *
   * @throws {TypeError} when it is no JSON, or larger than `maxEventBytes`
   */
  readonly progress: (data: object) => void;
}

/** A kind of job: a function, or one with settings. Its input is JSON. */
export type JobFunction<Input> = (input: Input, context: JobContext) => unknown;

/** A kind of job with settings. */
export interface JobDefinition<Input> {
  run: JobFunction<Input>;
  /**
   * How long it may take, in milliseconds.
   * @default 120_000
   */
  timeoutMs?: number | undefined;
  /**
   * How often it is begun, where the processes that run it are lost. 1 for what must not happen twice.
   * @default 3
   */
  maxAttempts?: number | undefined;
}

/** Options of {@link jobs}. */
export interface JobsOptions<Inputs extends object> {
  /** What there is to do. Of lost processes, this one goes on with jobs of these kinds; one that only follows needs none. */
  kinds: { readonly [Kind in keyof Inputs]: JobFunction<Inputs[Kind]> | JobDefinition<Inputs[Kind]> };
  /** Shares the jobs with all processes. Without it they are those of this process alone, and end with it. */
  redis?: RedisLink | RedisClient | undefined;
  /** @default 'signalbox:realtime:job:' */
  prefix?: string | undefined;
  /**
   * How long a job is kept after its last event, in milliseconds.
   * @default 600_000
   */
  ttlMs?: number | undefined;
  /**
   * How long a process may be silent until another goes on with its jobs, in milliseconds.
   * @default 3_000
   */
  leaseMs?: number | undefined;
  /**
   * Jobs that this process runs at a time.
   * @default 100
   */
  maxRunning?: number | undefined;
  /**
   * Of these, those of one owner.
   * @default 10
   */
  maxRunningPerOwner?: number | undefined;
  /**
   * Events of one job; progress beyond is not told.
   * @default 1_000
   */
  maxEvents?: number | undefined;
  /** @default 16_384 */
  maxEventBytes?: number | undefined;
  /** @default 1_000_000 */
  maxResultBytes?: number | undefined;
  /**
   * Jobs that are kept where there is no Redis.
   * @default 10_000
   */
  maxJobs?: number | undefined;
  /**
   * What happens to a new job while Redis is out of reach: `local` runs it here, and puts it into Redis later; `closed`
   * refuses it with 503.
   * @default 'local'
   */
  onStoreDown?: 'local' | 'closed' | undefined;
  /**
   * Where failures of jobs are told.
   * @default stderr
   */
  log?: RealtimeLog | undefined;
}

/** A kind, with nothing left open. */
export interface JobKind {
  readonly run: JobFunction<unknown>;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
}
