/** What a job tells, in this order: one `started`, any `progress`, and one of the other two. */
export type JobEventType = 'started' | 'progress' | 'complete' | 'failed';

/** Something that a job told. */
export interface JobEvent {
  readonly id: string;
  readonly kind: string;
  /** Counts up from 1, without gaps, whichever process runs the job. */
  readonly seq: number;
  readonly type: JobEventType;
  /** JSON. Of `failed` it is `{ error }`, in the shape of an error response. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface FollowOptions {
  /** Who asks; `null` where the id alone is enough. */
  owner: string | null;
  /**
   * The last sequence number that is known already.
   * @default 0
   */
  after?: number | undefined;
  /** Called when there is nothing left to tell, also where nothing was; and where the following is ended. */
  onEnd?: (() => void) | undefined;
}

/** What sockets need of `jobs()`. */
export interface JobFollowing {
  /**
   * Calls `listener` with every event of a job after `after`, each once and in order, those of the past first.
   *
   * @returns a function that ends it
   * @throws {JobNotFoundError} when there is none, or it is somebody else's
   */
  follow(id: string, options: FollowOptions, listener: (event: JobEvent) => void): Promise<() => void>;
}
