import { currentRequest } from '@signalbox/context';
import type { ErrorObject } from '@signalbox/errors';
import { requireInteger, requireMilliseconds, requireText, suggestion } from '@signalbox/options';
import { RedisUnavailableError } from '@signalbox/redis';
import { JobNotFoundError, noRoom, TooManyJobsError } from './job-errors.js';
import { isLast, readEvent, writeEvent } from './job-events.js';
import type { JobsOptions } from './job-options.js';
import { createRunner, newName } from './job-runner.js';
import { resolveJobOptions } from './job-settings.js';
import type { JobReading, JobState, NewJob } from './job-store.js';
import type { FollowOptions, JobEvent, JobFollowing } from './job-types.js';

export interface StartOptions {
  /** Whose it is: nobody else may follow it. `null` where the id alone is enough, which nobody can guess. */
  owner: string | null;
  /** What its first event, `started`, carries. JSON. */
  about?: object | undefined;
}

/** How a job stands. */
export interface JobResult {
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  /** The number of the last event. */
  readonly seq: number;
  /** The last event that is no end; while it runs. */
  readonly progress?: Readonly<Record<string, unknown>> | undefined;
  readonly result?: Readonly<Record<string, unknown>> | undefined;
  readonly error?: ErrorObject | undefined;
}

/** Jobs under way in this process. */
export interface JobsReport {
  /** Jobs that this process runs. */
  readonly running: number;
  /** Followers in this process. */
  readonly following: number;
  readonly shared: boolean;
}

/** Jobs whose progress can be followed. */
export interface Jobs<Inputs extends object> extends JobFollowing {
  /**
   * Begins a job. Resolves once it is kept, or runs in any case.
   *
   * @throws {TypeError} when there is no such kind, or the input or what is told about it is no JSON
   * @throws {HttpError} 429 or 503 `too_many_jobs`; 503 while Redis is out of reach, where `onStoreDown` is `closed`
   */
  start<Kind extends keyof Inputs & string>(
    kind: Kind,
    input: Inputs[Kind],
    options: StartOptions,
  ): Promise<{ readonly id: string }>;
  follow(id: string, options: FollowOptions, listener: (event: JobEvent) => void): Promise<() => void>;
  /** @throws {JobNotFoundError} when there is none, or it is somebody else's */
  replay(id: string, after: number, owner: string | null): Promise<readonly JobEvent[]>;
  /** @throws {JobNotFoundError} when there is none, or it is somebody else's */
  result(id: string, owner: string | null): Promise<JobResult>;
  /**
   * Stops a job, wherever it runs, within a third of `leaseMs`; it ends with `job_cancelled`.
   *
   * @throws {JobNotFoundError} when there is none, or it is somebody else's
   */
  cancel(id: string, owner: string | null): Promise<void>;
  report(): JobsReport;
  /**
   * Begins no more jobs, waits for those that run, and hands over those that are left when the time is up.
   *
   * @param options.budgetMs by default 4_000: what follows has to be done while Redis is open, and `serve()` gives the
   *   phase `jobs` 5 s
   */
  close(options?: { budgetMs?: number | undefined }): Promise<void>;
}

/**
 * Runs jobs whose progress is kept as numbered events, so that whoever loses the connection can go on where it was, on any
 * process; and whose result can be fetched later. With Redis a job survives the process that runs it: another goes on
 * with it, and with its numbers.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const searches = jobs({
 *   redis,
 *   kinds: {
 *     async search({ q }: { q: string }, { progress, signal }) {
 *       progress({ progress: 0.1, stage: 'asking' });
 *       return { query: q, results: await find(q, { signal }) };
 *     },
 *   },
 * });
 * const { id } = await searches.start('search', { q: 'signal boxes' }, { owner: 'u_1' });
 */
export function jobs<Inputs extends object = Record<string, unknown>>(
  options: JobsOptions<Inputs>,
): Jobs<Inputs> {
  const settings = resolveJobOptions(options as JobsOptions<Record<string, unknown>>);
  const { kinds, store } = settings;
  const runner = createRunner(settings);
  const { feeds } = runner;
  let isClosing = false;
  let closing: Promise<void> | undefined;

  async function readOwn(id: string, after: number, owner: string | null): Promise<JobReading> {
    const reading = isId(id) ? await runner.read(id, after) : undefined;
    if (reading === undefined) throw new JobNotFoundError();
    requireOwner(reading, owner);
    return reading;
  }

  return {
    async start(kind, input, { owner, about }) {
      if (!kinds.has(kind))
        throw new TypeError(`start: there is no kind "${kind}"; ${suggestion(kind, [...kinds.keys()])}`);
      if (owner !== null) requireText('start', 'owner', owner);
      if (isClosing || !runner.hasRoom()) throw noRoom();
      if (owner !== null && runner.working(owner) >= settings.maxRunningPerOwner) {
        throw new TooManyJobsError(settings.maxRunningPerOwner);
      }
      // Who is refused may try again elsewhere: what was refused must not have begun.
      const waits = settings.isClosedWhenDown;
      const started = writeEvent('started', about ?? {});
      const traceparent = currentRequest()?.trace.traceparent ?? '';
      const job: NewJob = { id: newName(), kind, owner, input: JSON.stringify(input ?? null), traceparent };
      const run = runner.begin({ job, holder: newName(), attempt: 1, events: [], started, waits });
      if ((await run.saver.first) === 'failed' && waits) {
        runner.withdraw(run);
        throw new RedisUnavailableError('jobs', 'down', 'the job could not be kept');
      }
      return { id: job.id };
    },

    async follow(id, { owner, after = 0, onEnd }, listener) {
      requireInteger('follow', 'after', after, 0);
      const check = (reading: JobReading): void => requireOwner(reading, owner);
      const stop = isId(id) ? await feeds.follow(id, after, check, listener, onEnd) : undefined;
      if (stop === undefined) throw new JobNotFoundError();
      return stop;
    },

    async replay(id, after, owner) {
      requireInteger('replay', 'after', after, 0);
      const { kind, events } = await readOwn(id, after, owner);
      return events.map((text, index) => readEvent(id, kind, after + 1 + index, text));
    },

    async result(id, owner) {
      const { kind, state, length, events } = await readOwn(id, -1, owner);
      const last = events.map((text) => readEvent(id, kind, length, text)).at(-1);
      return { id, kind, state, seq: length, ...outcomeOf(last) };
    },

    async cancel(id, owner) {
      await readOwn(id, -1, owner);
      const isHere = runner.cancel(id);
      try {
        // Also where it runs here: another process may have it by now, which is not known here yet.
        await store.cancel(id);
      } catch (error) {
        if (!isHere) throw error;
      }
    },

    report: () => ({ running: runner.working(), following: feeds.size, shared: settings.isShared }),

    close({ budgetMs = 4_000 } = {}) {
      requireMilliseconds('close', 'budgetMs', budgetMs, 0);
      isClosing = true;
      closing ??= runner.close(budgetMs);
      return closing;
    },
  };
}

function isId(id: unknown): boolean {
  return typeof id === 'string' && /^[\w-]{22}$/.test(id);
}

function requireOwner({ owner }: JobReading, asking: string | null): void {
  if (owner !== null && owner !== asking) throw new JobNotFoundError();
}

function outcomeOf(last: JobEvent | undefined): Pick<JobResult, 'progress' | 'result' | 'error'> {
  if (last === undefined) return {};
  if (!isLast(last)) return { progress: last.data };
  return last.type === 'complete' ? { result: last.data } : { error: last.data['error'] as ErrorObject };
}
