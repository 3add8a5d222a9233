import { outsideRequests } from '@signalbox/context';
import { isLast, readEvent, writeFailure } from './job-events.js';
import { jobLost } from './job-errors.js';
import type { JobReading, JobRef } from './job-store.js';
import type { JobEvent } from './job-types.js';

/** What feeds read. */
export interface FeedSource {
  read(id: string, after: number): Promise<JobReading | undefined>;
  /** Nobody holds the job any more. */
  abandoned(job: JobRef): void;
  /** A job that runs in this process is not gone, whatever the store says. */
  isHere(id: string): boolean;
}

/** Tells followers of jobs what the jobs tell. */
export interface Feeds {
  /** How many follow. */
  readonly size: number;
  /**
   * @param check throws where whoever asks may not follow
   * @param left called once it follows no more, for whatever reason
   * @returns a function that ends it; `undefined` where there is no such job
   */
  follow(
    id: string,
    after: number,
    check: (reading: JobReading) => void,
    listener: (event: JobEvent) => void,
    left?: () => void,
  ): Promise<(() => void) | undefined>;
  /** Some events of a job, in whatever order such calls come. None where the job was let go. */
  readonly offer: (id: string, first: number, events: readonly string[]) => void;
  /** Some may have been missed. */
  readonly gap: () => void;
  close(): void;
}

interface Follower {
  /** The number of the first event that it waited for. */
  readonly first: number;
  /** The number of the event that it waits for. */
  next: number;
  /** Whether it may be told. */
  isReady: boolean;
  /** Whether it was not, when there was something to tell. */
  hasMissed: boolean;
  readonly listener: (event: JobEvent) => void;
  readonly left: (() => void) | undefined;
}

interface Feed {
  readonly id: string;
  kind: string;
  readonly followers: Set<Follower>;
  /** Whether to look once more after the look that is under way. */
  isLooking: boolean;
  looksAgain: boolean;
  /** How often in a row there was no such job. */
  misses: number;
  timer: NodeJS.Timeout | undefined;
}

const MIN_LOOK_MS = 50;

/**
 * Each follower gets each event once and in order: live ones as they come, and what is between them from the store.
 * However messages are lost, doubled or out of order, a follower's next event is the one behind its last.
 *
 * @param everyMs how long a job may be silent until it is looked at
 */
export function createFeeds(source: FeedSource, everyMs: number): Feeds {
  const feeds = new Map<string, Feed>();

  function feedOf(id: string): Feed {
    const known = feeds.get(id);
    if (known !== undefined) return known;
    const feed: Feed = {
      id,
      kind: '',
      followers: new Set(),
      isLooking: false,
      looksAgain: false,
      misses: 0,
      timer: undefined,
    };
    feeds.set(id, feed);
    return feed;
  }

  function leave(feed: Feed, follower: Follower): void {
    // What is left already may have made room for another feed of the same job.
    if (!feed.followers.delete(follower)) return;
    if (feed.followers.size === 0) {
      clearTimeout(feed.timer);
      feeds.delete(feed.id);
    }
    safely(() => follower.left?.());
  }

  /** Whether one of the followers lacks something before these. */
  function deliver(feed: Feed, first: number, events: readonly string[]): boolean {
    let isBehind = false;
    for (const follower of Array.from(feed.followers)) {
      if (!follower.isReady) follower.hasMissed = true;
      else if (follower.next < first) isBehind = true;
      else for (const text of events.slice(follower.next - first)) tell(feed, follower, text);
    }
    return isBehind;
  }

  function tell(feed: Feed, follower: Follower, text: string): void {
    if (!feed.followers.has(follower)) return;
    const event = readEvent(feed.id, feed.kind, follower.next, text);
    follower.next += 1;
    if (isLast(event)) leave(feed, follower);
    safely(() => follower.listener(event));
  }

  /** Reads what the one that is furthest behind lacks. */
  function look(feed: Feed): void {
    clearTimeout(feed.timer);
    feed.looksAgain = true;
    if (feed.isLooking) return;
    feed.isLooking = true;
    // It is for all that follow, however long.
    void outsideRequests(() => lookUntilKnown(feed));
  }

  async function lookUntilKnown(feed: Feed): Promise<void> {
    let leftMs = everyMs;
    try {
      while (feed.looksAgain && feed.followers.size > 0) {
        feed.looksAgain = false;
        leftMs = await lookOnce(feed);
      }
    } catch (error) {
      // What is no event of ours, whoever put it there.
      warn(error);
    }
    feed.isLooking = false;
    lookLater(feed, leftMs);
  }

  /** @returns when to look again */
  async function lookOnce(feed: Feed): Promise<number> {
    const after = Math.min(...Array.from(feed.followers, ({ next }) => next - 1));
    let reading: JobReading | undefined;
    try {
      reading = await source.read(feed.id, after);
    } catch {
      // Nobody can say now.
      return everyMs;
    }
    if (reading === undefined) {
      miss(feed);
      return everyMs;
    }
    feed.misses = 0;
    deliver(feed, after + 1, reading.events);
    if (reading.state !== 'running') {
      for (const follower of Array.from(feed.followers)) await finish(feed, follower, reading.length);
      return everyMs;
    }
    if (reading.leaseLeftMs <= 0) source.abandoned(feed);
    return reading.leaseLeftMs <= 0 ? everyMs : reading.leaseLeftMs;
  }

  /**
   * The job has ended, and there is nothing more to tell, unless to who has heard more than there is, and not the end: of
   * a run in a process that was cut off from the store, and whose job another ended with less to tell.
   */
  async function finish(feed: Feed, follower: Follower, length: number): Promise<void> {
    if (!follower.isReady || follower.next <= length) return;
    // The client says that it knows the end.
    const knowsEnd = follower.next === follower.first && follower.first === length + 1;
    try {
      const end = knowsEnd ? undefined : (await source.read(feed.id, -1))?.events.at(-1);
      if (end !== undefined) tell(feed, follower, end);
      leave(feed, follower);
    } catch {
      // Nobody can say now; it is looked at again.
    }
  }

  /** Once may be a store that has just come back empty, before whoever runs the job has filled it again. */
  function miss(feed: Feed): void {
    feed.misses += 1;
    if (feed.misses < 2 || source.isHere(feed.id)) return;
    const end = writeFailure(jobLost());
    for (const follower of Array.from(feed.followers)) tell(feed, follower, end);
  }

  function lookLater(feed: Feed, leftMs: number): void {
    clearTimeout(feed.timer);
    if (feed.followers.size === 0) return;
    const waitMs = Math.min(everyMs, Math.max(MIN_LOOK_MS, leftMs + MIN_LOOK_MS));
    feed.timer = setTimeout(() => look(feed), waitMs).unref();
  }

  return {
    get size() {
      let size = 0;
      for (const { followers } of feeds.values()) size += followers.size;
      return size;
    },

    async follow(id, after, check, listener, left) {
      // Before it is read: nothing falls between the two.
      const feed = feedOf(id);
      const first = after + 1;
      const follower: Follower = { first, next: first, isReady: false, hasMissed: false, listener, left };
      feed.followers.add(follower);
      try {
        const reading = await source.read(id, after);
        if (reading === undefined) {
          leave(feed, follower);
          return undefined;
        }
        check(reading);
        feed.kind = reading.kind;
        follower.isReady = true;
        for (const text of reading.events.slice(follower.next - after - 1)) tell(feed, follower, text);
        if (reading.state !== 'running') await finish(feed, follower, reading.length);
        if (!feed.followers.has(follower)) return () => undefined;
        if (follower.hasMissed || reading.leaseLeftMs <= 0) look(feed);
        else lookLater(feed, reading.leaseLeftMs);
      } catch (error) {
        leave(feed, follower);
        throw error;
      }
      return () => leave(feed, follower);
    },

    offer(id, first, events) {
      const feed = feeds.get(id);
      if (feed === undefined) return;
      if (events.length === 0 || deliver(feed, first, events)) look(feed);
    },

    gap() {
      for (const feed of feeds.values()) look(feed);
    },

    close() {
      for (const feed of feeds.values()) clearTimeout(feed.timer);
      feeds.clear();
    },
  };
}

/** What is called is not ours. */
function safely(call: () => void): void {
  try {
    call();
  } catch (error) {
    warn(error);
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}
