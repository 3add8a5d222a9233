import type { Call } from './call.js';
import type { DatabaseState, PoolStats } from './database.js';
import type { PostgresUnavailableError } from './errors.js';

/** What answers the calls of a database: a pool of connections, or the one of an embedded Postgres. */
export interface Driver {
  readonly state: DatabaseState;
  /** What may be held against asking just now. */
  refusal(): PostgresUnavailableError | undefined;
  /** Runs a statement on a connection of its own, and settles the call. */
  submit(call: Call): void;
  /** Settles the call with a {@link Session}. */
  acquire(call: Call): void;
  /** Why a call that is given up for want of time has got no answer. */
  tooLate(call: Call): PostgresUnavailableError;
  /** A call has waited long, or too long. */
  suspicious(): void;
  /** Whether the server has been found silent since then, which ends also what may last for ever. */
  isSilentSince(at: number): boolean;
  stats(): PoolStats;
  /** Whether a statement beside a transaction would wait for that one's end. */
  readonly isSingle: boolean;
  /** Takes nothing more. */
  refuse(): void;
  /** Closes what was opened, without waiting for what is under way for ever. */
  close(): Promise<void>;
}

/** A connection for several statements, which run one after the other. */
export interface Session {
  submit(call: Call): void;
  /** Gives up what runs and what waits. */
  giveUp(error: unknown): void;
  /** @param isBroken whether the connection is of no more use */
  release(isBroken: boolean): void;
}

/** Runs a statement; `ended` is called when the connection can take the next, or is broken. */
export type Run = (call: Call, ended: (isBroken: boolean) => void) => void;

/**
 * Makes a session that queues: a connection takes one statement at a time.
 *
 * @param release gives the connection back
 */
export function createSession(run: Run, release: (isBroken: boolean) => void): Session {
  const queue: Call[] = [];
  let running: Call | undefined;
  let isBusy = false;
  let isBroken = false;
  let isReleased = false;

  function pump(): void {
    if (isBusy) return;
    const call = queue.shift();
    if (call !== undefined) {
      isBusy = true;
      running = call;
      if (call.isSettled) ended(false);
      else run(call, ended);
    } else if (isReleased) {
      release(isBroken);
    }
  }

  function ended(broken: boolean): void {
    isBusy = false;
    running = undefined;
    isBroken ||= broken;
    pump();
  }

  return {
    submit(call) {
      queue.push(call);
      pump();
    },
    giveUp(error) {
      running?.giveUp(error);
      for (const call of queue) call.giveUp(error);
    },
    release(broken) {
      if (isReleased) return;
      isReleased = true;
      isBroken ||= broken;
      // A statement that was given up may still be running.
      pump();
    },
  };
}
