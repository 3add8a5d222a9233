import type { RedisLink, RedisReply } from '@signalbox/redis';
import { CANCEL, DUE, READ, RELEASE, TAKE, WRITE } from './job-scripts.js';
import type { Hold, JobReading, JobState, JobStore, NewJob, TakenJob } from './job-store.js';

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
  const running = `${prefix}running`;
  const write = link.script('job-write', WRITE, { decode: texts });
  const take = link.script('job-take', TAKE, { decode: texts });
  const release = link.script('job-release', RELEASE);
  const cancel = link.script('job-cancel', CANCEL);
  const read = link.script('job-read', READ, { decode: texts });
  const due = link.script('job-due', DUE, { decode: texts });

  const keysOf = (id: string): readonly string[] => [`${prefix}{${id}}`, `${prefix}{${id}}:events`];

  /**
   * Where it stands among those that run. The index is only a hint of which jobs to look at; a wrong one costs a look.
   */
  async function index(id: string, leaseUntil: number): Promise<void> {
    try {
      if (leaseUntil === 0) await link.command('zrem', running, id);
      else await link.command('zadd', running, leaseUntil, id);
    } catch {
      // The next write says it again, and who looks at a job that has ended takes it out.
    }
  }

  async function add(
    job: NewJob,
    holder: string,
    from: number,
    events: readonly string[],
    end: JobState | undefined,
  ): Promise<Hold> {
    const { id, kind, owner, input, traceparent } = job;
    const args = [holder, from, end ?? '', leaseMs, keepMs, channel, id];
    args.push(kind, owner ?? '', input, traceparent, ...events);
    const [hold = 'missing', lease = '0'] = await write(keysOf(id), args);
    if (hold === 'held' || hold === 'cancelled') void index(id, Number(lease));
    return hold as Hold;
  }

  return {
    async put(job, holder, events, end) {
      // Before the job itself: one that nobody can find would never be taken over.
      const indexed = link.command('zadd', running, 'NX', Date.now() + leaseMs, job.id);
      const [hold] = await Promise.all([add(job, holder, 0, events, end), indexed]);
      return hold;
    },

    append(id, holder, from, events, end) {
      const known = { id, kind: '', owner: null, input: '', traceparent: '' };
      return add(known, holder, from, events, end);
    },

    async take(id, holder, kinds, abandoned): Promise<TakenJob | undefined> {
      const pairs = [...kinds].flat();
      const args = [holder, leaseMs, keepMs, channel, id, abandoned, ...pairs];
      const [
        outcome,
        lease,
        attempt,
        isCancelled,
        kind = '',
        owner,
        input = '',
        traceparent = '',
        ...events
      ] = await take(keysOf(id), args);
      if (outcome === 'over') void index(id, 0);
      // Behind the others: it must not be all that anybody ever looks at.
      if (outcome === 'unknown') void index(id, Date.now() + leaseMs);
      if (outcome === 'leased' || outcome === 'taken') void index(id, Number(lease));
      if (outcome !== 'taken') return undefined;
      return {
        job: { id, kind, owner: owner === '' ? null : (owner ?? null), input, traceparent },
        attempt: Number(attempt),
        isCancelled: isCancelled !== '',
        events,
      };
    },

    async release(id, holder) {
      const isReleased = (await release(keysOf(id), [holder, channel, id])) === 1;
      // Found by whoever looks next.
      if (isReleased) await link.command('zadd', running, 'XX', 1, id);
    },

    cancel: async (id) => (await cancel(keysOf(id), [])) === 1,

    async read(id, after): Promise<JobReading | undefined> {
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
    },

    due: (limit) => due([running], [limit]),

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
