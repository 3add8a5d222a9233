import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { outsideRequests } from '@signalbox/context';
import { watchOutage } from '@signalbox/redis';
import { jobAbandoned } from './job-errors.js';
import { readEvent, writeFailure } from './job-events.js';
import { createFeeds, type Feeds } from './job-feed.js';
import { type Begun, type JobRun, startRun } from './job-run.js';
import type { JobSettings } from './job-settings.js';
import type { JobReading, JobRef } from './job-store.js';
import { toldError } from './told-error.js';

/** The jobs that this process runs, and those that it goes on with when other processes are lost. */
export interface Runner {
  readonly feeds: Feeds;
  begin(begun: Begun): JobRun;
  /** Takes back a job that was not begun, and that the store may have got without saying so in time. */
  withdraw(run: JobRun): void;
  /** @returns whether the job runs here */
  cancel(id: string): boolean;
  /** How many functions are at work; those of one owner where one is given. */
  working(owner?: string): number;
  /** Whether one more may be. */
  hasRoom(): boolean;
  /** From the store; of a job that runs here, from here where the store does not know it. */
  read(id: string, after: number): Promise<JobReading | undefined>;
  /** Waits for what runs, and lets others have what is left when the time is up. */
  close(budgetMs: number): Promise<void>;
}

/** Jobs of one kind that are looked at, at a time. */
const LOOKED_AT = 16;

/** The first ones after the store fell silent are those that it may have got; what is refused later never reached it. */
const MAX_WITHDRAWN = 1_000;

export function createRunner(settings: JobSettings): Runner {
  const { store, leaseMs, kinds, maxRunning, log } = settings;
  const running = new Map<string, JobRun>();
  const outage = watchOutage({ feature: 'jobs', probe: () => store.read(newName(), 0) });
  /** Of which the store has not said yet that it does not keep them. */
  const withdrawn = new Map<string, JobRun>();
  /** Jobs that the store is being asked for. */
  let taking = 0;
  let isClosing = false;

  const isHere = (id: string): boolean => running.has(id);
  const feeds = createFeeds({ read, isHere, abandoned: (job) => void takeOver(job) }, leaseMs);
  const unlisten = store.listen(feeds.offer, feeds.gap);
  const saverStore = {
    store,
    works: () => outage.works(),
    failed: (error: unknown) => outage.failed(error, 'local'),
    offer: feeds.offer,
  };
  const sweeper = setInterval(() => void sweep(), leaseMs / 2).unref();

  async function read(id: string, after: number): Promise<JobReading | undefined> {
    try {
      const reading = await store.read(id, after);
      if (reading !== undefined) return reading;
    } catch (error) {
      if (!running.has(id)) throw error;
    }
    // Out of reach, or back empty and not filled again yet.
    const here = running.get(id);
    return here && readHere(here, after, leaseMs);
  }

  function begin(begun: Begun): JobRun {
    const { job } = begun;
    const kind = kinds.get(job.kind);
    if (kind === undefined) throw new TypeError(`jobs: there is no kind "${job.kind}"`);
    const failed = (error: unknown): void => {
      if (toldError(error).code >= 500) log.error({ err: error, job: job.id, kind: job.kind }, 'Job failed');
    };
    // Whoever asked for it has been answered long since.
    const run = outsideRequests(() => startRun(begun, kind, saverStore, settings, failed));
    running.set(job.id, run);
    void run.done.then(() => {
      if (running.get(job.id) === run) running.delete(job.id);
    });
    return run;
  }

  function working(owner?: string): number {
    let count = 0;
    for (const run of running.values()) {
      if (run.isWorking() && (owner === undefined || run.job.owner === owner)) count += 1;
    }
    return count;
  }

  const isTaken = (id: string): boolean => running.has(id) || withdrawn.has(id);
  const hasRoom = (): boolean => working() + taking < maxRunning;

  /** Goes on with a job that nobody holds any more, where it is known what to do. */
  async function takeOver(job: JobRef): Promise<void> {
    const { id, kind } = job;
    const known = kinds.get(kind);
    if (known === undefined || isClosing || isTaken(id) || !hasRoom()) return;
    const holder = newName();
    taking += 1;
    try {
      const taken = await store.take(job, holder, known.maxAttempts, writeFailure(jobAbandoned(), id));
      if (taken === undefined) return;
      if (isClosing) return await store.release(job, holder, false);
      begin({ ...taken, holder });
    } catch {
      // Nobody can say now; it is looked at again.
    } finally {
      taking -= 1;
    }
  }

  async function sweep(): Promise<void> {
    // Before others take them over, which they do once the lease is over.
    await withdrawAll();
    await Promise.all(Array.from(kinds.keys(), sweepKind));
  }

  async function sweepKind(kind: string): Promise<void> {
    try {
      await Promise.all((await store.due(kind, LOOKED_AT)).map((id) => takeOver({ id, kind })));
    } catch {
      // The next one comes soon.
    }
  }

  async function withdrawAll(): Promise<void> {
    try {
      for (const [id, { job, holder }] of withdrawn) {
        await store.withdraw(job, holder);
        withdrawn.delete(id);
      }
    } catch {
      // It does not answer yet.
    }
  }

  async function handOver(run: JobRun): Promise<void> {
    const { job, holder } = run;
    run.stop();
    // What must not be begun twice is not begun by the next one, either.
    await store.release(job, holder, kinds.get(job.kind)?.maxAttempts === 1);
  }

  return {
    feeds,
    begin,
    working,
    hasRoom,
    read,
    withdraw(run) {
      run.stop();
      if (withdrawn.size < MAX_WITHDRAWN) withdrawn.set(run.job.id, run);
    },
    cancel(id) {
      running.get(id)?.cancel();
      return running.has(id);
    },
    async close(budgetMs) {
      isClosing = true;
      clearInterval(sweeper);
      const control = new AbortController();
      const late = wait(budgetMs, undefined, { signal: control.signal }).catch(() => undefined);
      await Promise.race([Promise.all(Array.from(running.values(), ({ done }) => done)), late]);
      control.abort();
      await Promise.allSettled([withdrawAll(), ...Array.from(running.values(), (run) => handOver(run))]);
      unlisten();
      feeds.close();
      outage.close();
    },
  };
}

/** A name that nobody can guess. */
export function newName(): string {
  return randomBytes(16).toString('base64url');
}

function readHere({ job, saver }: JobRun, after: number, leaseMs: number): JobReading {
  const { events } = saver;
  const last = events.at(-1);
  const type = last === undefined ? 'started' : readEvent(job.id, job.kind, 0, last).type;
  return {
    kind: job.kind,
    owner: job.owner,
    state: type === 'complete' || type === 'failed' ? type : 'running',
    length: events.length,
    events: events.slice(after),
    leaseLeftMs: leaseMs,
  };
}
