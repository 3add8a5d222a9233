/** How a job stands. */
export type JobState = 'running' | 'complete' | 'failed';

/** What a job is made of. */
export interface NewJob {
  readonly id: string;
  readonly kind: string;
  /** Whose it is; `null` where the id alone is enough. */
  readonly owner: string | null;
  /** JSON. */
  readonly input: string;
  /** The trace that it was started in; empty where there is none. */
  readonly traceparent: string;
}

/**
 * How a write ended: `held` by who wrote it; `cancelled`, held, but it should stop; `lost` to another holder; `missing`,
 * since the store has lost the job or some of its events.
 */
export type Hold = 'held' | 'cancelled' | 'lost' | 'missing';

/** A job that was taken over, with what it has told so far. */
export interface TakenJob {
  readonly job: NewJob;
  /** Which run of it this is, from 1. */
  readonly attempt: number;
  readonly isCancelled: boolean;
  readonly events: readonly string[];
}

export interface JobReading {
  readonly kind: string;
  readonly owner: string | null;
  readonly state: JobState;
  /** How many events there are. */
  readonly length: number;
  /** Of these, those that were asked for. */
  readonly events: readonly string[];
  /** How long the holder has until the job may be taken over; 0 or less where it may. */
  readonly leaseLeftMs: number;
}

/** Which job is meant. A store finds those that run by their kind. */
export type JobRef = Pick<NewJob, 'id' | 'kind'>;

/**
 * Where jobs and their events are. An event is text that the store does not look into; its number is its place, from 1.
 *
 * A job has one holder at a time. Only the holder adds events, and holding ends by itself unless it is renewed, which
 * every write does. All of it is atomic: of several that want to take a job over one does, and what a former holder
 * still writes is refused.
 */
export interface JobStore {
  /**
   * Makes a job that has told these events. Of one that `holder` made already it adds what is missing.
   *
   * @param end the state, where the last event is the end
   */
  put(job: NewJob, holder: string, events: readonly string[], end?: JobState): Promise<Hold>;
  /**
   * Adds events behind the first `from`. Those of them that are there already, from an earlier try, are not added again.
   *
   * @param end the state, where the last event is the end
   */
  append(job: JobRef, holder: string, from: number, events: readonly string[], end?: JobState): Promise<Hold>;
  /**
   * Takes over a job that nobody holds any more. One that was begun `maxAttempts` times already ends with the event
   * `abandoned` instead, unless it was cancelled: who takes that one does not begin it.
   */
  take(job: JobRef, holder: string, maxAttempts: number, abandoned: string): Promise<TakenJob | undefined>;
  /**
   * Lets go of a job, so that somebody else goes on with it at once.
   *
   * @param counts whether it was an attempt, as of a job that must not be begun twice
   */
  release(job: JobRef, holder: string, counts: boolean): Promise<void>;
  /** Takes back what was put but not begun, as if it had never been. Of a job that is not there, or somebody else's, nothing. */
  withdraw(job: JobRef, holder: string): Promise<void>;
  /** Wants a job to stop. Whether there is one that runs. */
  cancel(id: string): Promise<boolean>;
  /** @param after the events behind that number; the last ones where it is negative */
  read(id: string, after: number): Promise<JobReading | undefined>;
  /** Some of the jobs of a kind that run and that nobody holds: their ids. */
  due(kind: string, limit: number): Promise<readonly string[]>;
  /** Hears events as they are added, with the number of the first, in all processes. None where a job was let go. */
  listen(hear: (id: string, first: number, events: readonly string[]) => void, onGap: () => void): () => void;
}
