import { outsideRequests } from '@signalbox/context';
import { setTimeout as wait } from 'node:timers/promises';
import type { Begun } from './job-run.js';
import type { Hold, JobState, JobStore } from './job-store.js';

/** What a run needs of its store. */
export interface SaverStore {
  readonly store: Pick<JobStore, 'put' | 'append'>;
  /** The store answers, or does not. */
  readonly works: () => void;
  readonly failed: (error: unknown) => void;
  /** Events that the store could not take, for whoever follows the job in this process. */
  readonly offer: (id: string, first: number, events: readonly string[]) => void;
}

/** Keeps what a job tells, in order, and keeps hold of the job meanwhile. */
export interface Saver {
  /** All events of the job, whoever has told them. */
  readonly events: readonly string[];
  readonly length: number;
  readonly isLost: boolean;
  /** Settles once the job is in the store, or could not be put there at the first try. */
  readonly first: Promise<'held' | 'failed'>;
  /** Settles when everything is kept, or never will be. Does not reject. */
  readonly saved: Promise<void>;
  add(text: string): void;
  /** Adds the last event. */
  finish(text: string, end: JobState): void;
  /** Keeps nothing any more. */
  stop(): void;
}

/** What is written at once: the events up to a number, and the state where the last of them is the end. */
interface Piece {
  readonly upTo: number;
  readonly endNow: JobState | undefined;
}

const CHUNK = 100;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1_000;

/**
 * Writes in the background, one write at a time; what is told meanwhile goes into the next. Where the store is out of
 * reach it tries again, and whoever follows the job here is told all the same: the numbers are known, since nobody else
 * adds any. A store that has lost the job, as after a restart, is given all of it again.
 */
export function createSaver(
  { job, holder, attempt, events: before }: Begun,
  { store, works, failed, offer }: SaverStore,
  { leaseMs, ttlMs }: { readonly leaseMs: number; readonly ttlMs: number },
  hears: { lost(): void; cancelled(): void },
): Saver {
  const events = [...before];
  /** How many the store has. */
  let kept = before.length;
  let isCreated = attempt > 1 || before.length > 0;
  /** How many were offered here because the store could not take them. */
  let offered = 0;
  let end: JobState | undefined;
  let isLost = false;
  let isOver = false;
  let isWriting = false;
  /** What was sent last, where nobody said that it arrived. */
  let unanswered: Piece | undefined;
  /** Whether the store is out of reach. */
  let isOut = false;
  let endedAt = Infinity;
  let pauseMs = FIRST_PAUSE_MS;

  let tellFirst: (outcome: 'held' | 'failed') => void = () => undefined;
  const first = new Promise<'held' | 'failed'>((resolve) => (tellFirst = resolve));
  let tellSaved: () => void = () => undefined;
  const saved = new Promise<void>((resolve) => (tellSaved = resolve));
  const heartbeat = setInterval(write, leaseMs / 3).unref();

  function over(): void {
    isOver = true;
    clearInterval(heartbeat);
    tellFirst('failed');
    tellSaved();
  }

  /** Everything there is, then nothing: a heartbeat. */
  function write(): void {
    if (isWriting || isOver) return;
    isWriting = true;
    // What a job tells in time is kept also when its time is up.
    void outsideRequests(writeAll);
  }

  async function writeAll(): Promise<void> {
    do {
      const piece = unanswered ?? nextPiece();
      try {
        if (unanswered === undefined) heard(await send(piece), piece);
        else await hasArrived(piece);
        unanswered = undefined;
        works();
        isOut = false;
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        unanswered = piece;
        await missed(error);
      }
    } while (hasMore());
    isWriting = false;
  }

  function nextPiece(): Piece {
    const upTo = Math.min(events.length, kept + CHUNK);
    return { upTo, endNow: upTo === events.length ? end : undefined };
  }

  /** Asks before it is sent again: what takes longer than a command may would else never be known to be there. */
  async function hasArrived(piece: Piece): Promise<void> {
    const hold = await store.append(job, holder, piece.upTo, [], piece.endNow);
    if (hold !== 'missing') heard(hold, piece);
  }

  function hasMore(): boolean {
    return !isOver && (kept < events.length || !isCreated);
  }

  function send({ upTo, endNow }: Piece): Promise<Hold> {
    if (!isCreated) return store.put(job, holder, events.slice(0, upTo), endNow);
    return store.append(job, holder, kept, events.slice(kept, upTo), endNow);
  }

  function heard(hold: Hold, { upTo, endNow }: Piece): void {
    if (isOver) return;
    if (hold === 'missing') {
      isCreated = false;
      kept = 0;
      return;
    }
    if (hold === 'lost') {
      isLost = true;
      over();
      hears.lost();
      return;
    }
    isCreated = true;
    kept = upTo;
    tellFirst('held');
    if (endNow !== undefined) over();
    else if (hold === 'cancelled') hears.cancelled();
  }

  async function missed(error: unknown): Promise<void> {
    failed(error);
    tellFirst('failed');
    isOut = true;
    offerNew();
    if (performance.now() - endedAt > ttlMs) over();
    await wait(pauseMs, undefined, { ref: false });
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
  }

  function offerNew(): void {
    const from = Math.max(kept, offered);
    offered = events.length;
    if (offered > from) offer(job.id, from + 1, events.slice(from));
  }

  function push(text: string): void {
    events.push(text);
    if (isOut) offerNew();
    write();
  }

  return {
    events,
    get length() {
      return events.length;
    },
    get isLost() {
      return isLost;
    },
    first,
    saved,
    add(text) {
      if (!isOver && end === undefined) push(text);
    },
    finish(text, state) {
      if (isOver || end !== undefined) return;
      end = state;
      endedAt = performance.now();
      push(text);
    },
    stop: over,
  };
}
