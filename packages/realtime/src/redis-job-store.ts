import type { RedisLink, RedisReply } from '@signalbox/redis';
import { CANCEL, DUE, INDEX, READ, RELEASE, TAKE, WITHDRAW, WRITE } from './job-scripts.js';
import type { Hold, JobReading, JobRef, JobState, JobStore, TakenJob } from './job-store.js';

export interface RedisJobStoreOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  readonly leaseMs: number;
  /** How long a job is kept after its last event. */
  readonly ttlMs: number;
}

/** Jobs in Redis: whichever process runs one, all can read it, and another can go on with it. */
export function redisJobStore({ link, prefix, leaseMs, ttlMs }: RedisJobStoreOptions): JobStore {
  const keepMs = ttlMs + leaseMs;
  const channel = `${prefix}events`;
  const write = link.script('job-write', WRITE, { decode: texts });
  const take = link.script('job-take', TAKE, { decode: texts });
  const release = link.script('job-release', RELEASE);
  const withdraw = link.script('job-withdraw', WITHDRAW);
  const cancel = link.script('job-cancel', CANCEL);
  const read = link.script('job-read', READ, { decode: texts });
  const due = link.script('job-due', DUE, { decode: texts });
  const putIndex = link.script('job-index', INDEX);

  const keysOf = (id: string): readonly string[] => [`${prefix}{${id}}`, `${prefix}{${id}}:events`];
  /** By kind: nobody is to look at jobs, again and again, that only others can do. */
  const indexOf = (kind: string): string => `${prefix}running:${kind}`;

  /**
   * Where it stands among those that run. The index is only a hint of which jobs to look at; a wrong one costs a look.
   */
  async function index({ id, kind }: JobRef, leaseUntil: number): Promise<void> {
    try {
      if (leaseUntil === 0) await link.command('zrem', indexOf(kind), id);
      else await putIndex([indexOf(kind)], [leaseUntil, id, keepMs]);
    } catch {
      // The next write says it again, and who looks at a job that has ended takes it out.
    }
  }

  /** @param made what it is made of, where it is not there yet */
  async function add(
    job: JobRef,
    made: readonly string[],
    holder: string,
    from: number,
    events: readonly string[],
    end: JobState = 'running',
  ): Promise<Hold> {
    const args = [holder, from, end === 'running' ? '' : end, leaseMs, keepMs, channel, job.id];
    args.push(...made, ...events);
    const [hold = 'missing', lease = '0'] = await write(keysOf(job.id), args);
    if (hold === 'held' || hold === 'cancelled') void index(job, Number(lease));
    return hold as Hold;
  }

  /** Of the events behind that number some, where they are many. */
  async function readSome(id: string, after: number): Promise<JobReading | undefined> {
    const [kind, owner, state, leaseLeftMs, length, ...events] = await read(keysOf(id), [after]);
    if (kind === undefined) return undefined;
    return {
      kind,
      owner: owner === '' ? null : (owner ?? null),
      state: state as JobState,
      length: Number(length),
      events,
      leaseLeftMs: Number(leaseLeftMs),
    };
  }

  async function readAll(id: string, after: number): Promise<JobReading | undefined> {
    let reading = await readSome(id, after);
    const events = [...(reading?.events ?? [])];
    // Of the last ones, which a negative number stands for, there are few.
    const isMore = (): boolean => after >= 0 && after + events.length < (reading?.length ?? 0);
    while (isMore() && reading?.events.length !== 0) {
      reading = await readSome(id, after + events.length);
      events.push(...(reading?.events ?? []));
    }
    return reading && { ...reading, events };
  }

  async function takeAndRead(
    ref: JobRef,
    holder: string,
    maxAttempts: number,
    abandoned: string,
  ): Promise<TakenJob | undefined> {
    const { id } = ref;
    const args = [holder, leaseMs, keepMs, channel, id, abandoned, maxAttempts];
    const [outcome, lease, attempt, isCancelled, kind = '', owner, input = '', traceparent = ''] = await take(
      keysOf(id),
      args,
    );
    void index(ref, outcome === 'over' ? 0 : Number(lease));
    if (outcome !== 'taken') return undefined;
    const { events = [] } = (await readAll(id, 0)) ?? {};
    return {
      job: { id, kind, owner: owner === '' ? null : (owner ?? null), input, traceparent },
      attempt: Number(attempt),
      isCancelled: isCancelled !== '',
      events,
    };
  }

  async function letGo({ id, kind }: JobRef, holder: string, counts: boolean): Promise<void> {
    const isReleased = (await release(keysOf(id), [holder, channel, id, counts ? 0 : -1])) === 1;
    // Found by whoever looks next.
    if (isReleased) await putIndex([indexOf(kind)], [1, id, keepMs, 'XX']);
  }

  return {
    async put(job, holder, events, end) {
      // Before the job itself: one that nobody can find would never be taken over.
      const { id, kind, owner, input, traceparent } = job;
      const indexed = putIndex([indexOf(kind)], [Date.now() + leaseMs, id, keepMs, 'NX']);
      const made = [kind, owner ?? '', input, traceparent];
      const [hold] = await Promise.all([add(job, made, holder, 0, events, end), indexed]);
      return hold;
    },

    append: (job, holder, from, events, end) => add(job, ['', '', '', ''], holder, from, events, end),

    async take(job, holder, maxAttempts, abandoned) {
      try {
        return await takeAndRead(job, holder, maxAttempts, abandoned);
      } catch (error) {
        // Where it was taken all the same, it is not begun: that was no attempt.
        letGo(job, holder, false).catch(() => undefined);
        throw error;
      }
    },

    release: letGo,

    async withdraw(job, holder) {
      await withdraw(keysOf(job.id), [holder]);
      void index(job, 0);
    },

    cancel: async (id) => (await cancel(keysOf(id), [])) === 1,

    read: readAll,

    due: (kind, limit) => due([indexOf(kind)], [limit]),

    listen(hear, onGap) {
      const onMessage = (message: string): void => {
        const [head = '', ...events] = message.split('\n');
        const [id, first] = head.split(' ');
        if (id !== undefined && first !== undefined) hear(id, Number(first), events);
      };
      return link.subscribe(channel, onMessage, { onGap });
    },
  };
}

/** A list of texts and numbers, all as text. */
function texts(reply: RedisReply): string[] {
  return Array.isArray(reply) ? reply.map((item) => (item === null ? '' : String(item))) : [];
}
