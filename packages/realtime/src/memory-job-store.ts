import { ServiceUnavailableError } from '@signalbox/errors';
import type { JobState, JobStore, NewJob } from './job-store.js';

export interface MemoryJobStoreOptions {
  readonly leaseMs: number;
  /** How long a job is kept after its last event. */
  readonly ttlMs: number;
  readonly maxJobs: number;
  readonly now?: (() => number) | undefined;
}

interface Entry {
  readonly job: NewJob;
  readonly events: string[];
  holder: string;
  attempt: number;
  state: JobState;
  leaseUntil: number;
  keptUntil: number;
  isCancelled: boolean;
}

/** Jobs of this process. Bounded: the oldest that has ended makes room, and where none has, there is no room. */
export function memoryJobStore(options: MemoryJobStoreOptions): JobStore {
  const { leaseMs, ttlMs, maxJobs, now = Date.now } = options;
  // In the order in which they were last written to.
  const entries = new Map<string, Entry>();
  const listeners = new Set<Parameters<JobStore['listen']>[0]>();

  function find(id: string): Entry | undefined {
    const entry = entries.get(id);
    if (entry === undefined || entry.keptUntil > now()) return entry;
    entries.delete(id);
    return undefined;
  }

  function keep(entry: Entry): void {
    entry.keptUntil = now() + ttlMs + leaseMs;
    entries.delete(entry.job.id);
    entries.set(entry.job.id, entry);
  }

  function makeRoom(): void {
    for (const [id, { keptUntil }] of entries) {
      if (keptUntil > now()) break;
      entries.delete(id);
    }
    if (entries.size < maxJobs) return;
    for (const [id, { state }] of entries) {
      if (state !== 'running') return void entries.delete(id);
    }
    throw new ServiceUnavailableError('There are too many jobs', {
      code: 'too_many_jobs',
      retryAfterSeconds: 1,
    });
  }

  function tell(id: string, first: number, events: readonly string[]): void {
    for (const hear of Array.from(listeners)) hear(id, first, events);
  }

  function add(entry: Entry, from: number, events: readonly string[], end: JobState = 'running'): void {
    keep(entry);
    if (entry.state !== 'running') return;
    const first = entry.events.length + 1;
    const fresh = events.slice(entry.events.length - from);
    entry.events.push(...fresh);
    entry.state = end;
    entry.leaseUntil = end === 'running' ? now() + leaseMs : 0;
    if (fresh.length > 0) tell(entry.job.id, first, fresh);
  }

  return {
    async put(job, holder, events, end) {
      let entry = find(job.id);
      if (entry === undefined) {
        makeRoom();
        const fields = { leaseUntil: 0, keptUntil: 0, isCancelled: false };
        entry = { job, events: [], holder, attempt: 1, state: 'running', ...fields };
      }
      if (entry.holder !== holder) return 'lost';
      add(entry, 0, events, end);
      return entry.isCancelled ? 'cancelled' : 'held';
    },

    async append({ id }, holder, from, events, end) {
      const entry = find(id);
      if (entry === undefined) return 'missing';
      if (entry.holder !== holder) return 'lost';
      if (entry.events.length < from) return 'missing';
      add(entry, from, events, end);
      return entry.isCancelled ? 'cancelled' : 'held';
    },

    async take({ id }, holder, maxAttempts, abandoned) {
      const entry = find(id);
      if (entry === undefined || entry.state !== 'running' || entry.leaseUntil > now()) return undefined;
      entry.holder = holder;
      if (entry.attempt >= maxAttempts && !entry.isCancelled) {
        add(entry, entry.events.length, [abandoned], 'failed');
        return undefined;
      }
      entry.attempt += 1;
      add(entry, entry.events.length, []);
      const { job, attempt, isCancelled, events } = entry;
      return { job, attempt, isCancelled, events: [...events] };
    },

    async release({ id }, holder, counts) {
      const entry = find(id);
      if (entry?.holder !== holder || entry.state !== 'running') return;
      entry.holder = '';
      if (!counts) entry.attempt -= 1;
      entry.leaseUntil = 0;
      tell(id, entry.events.length + 1, []);
    },

    async withdraw({ id }, holder) {
      if (find(id)?.holder === holder) entries.delete(id);
    },

    async cancel(id) {
      const entry = find(id);
      if (entry?.state !== 'running') return false;
      entry.isCancelled = true;
      return true;
    },

    async read(id, after) {
      const entry = find(id);
      if (entry === undefined) return undefined;
      const { job, state, events, leaseUntil } = entry;
      return {
        kind: job.kind,
        owner: job.owner,
        state,
        length: events.length,
        events: events.slice(after),
        leaseLeftMs: leaseUntil - now(),
      };
    },

    async due(kind, limit) {
      const found: string[] = [];
      for (const [id, { job, state, leaseUntil }] of entries) {
        const isDue = job.kind === kind && state === 'running' && leaseUntil <= now();
        if (isDue && found.push(id) >= limit) break;
      }
      return found;
    },

    listen(hear) {
      listeners.add(hear);
      return () => void listeners.delete(hear);
    },
  };
}
