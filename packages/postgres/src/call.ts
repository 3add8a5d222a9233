import { currentRequest, type RequestScope } from '@signalbox/context';
import type { QueryOptions } from './database.js';

/** Whoever takes calls: says how long they may take, and hears what becomes of them. */
export interface Desk {
  /** How long a connection may be waited for, in milliseconds. */
  readonly connectMs: number;
  /** How long a statement may run, in milliseconds; `Infinity` for as long as it takes. */
  readonly statementMs: number;
  settled(call: Call, error: unknown): void;
}

/** A request may need this long to answer after its query was given up, in milliseconds. */
const MAX_MARGIN_MS = 100;
const MARGIN = 0.1;

/** What a call is for, and how it differs from a statement that stands alone. */
export interface CallOptions extends QueryOptions {
  /** `alone`: a statement with a connection to itself. `held`: one of several. `hold`: the connection for them. */
  kind?: 'alone' | 'held' | 'hold' | undefined;
  /** Whether `text` may be several statements, without values. */
  isScript?: boolean | undefined;
  /**
   * What of its request it ends with: a COMMIT does not heed an abort, a ROLLBACK no deadline either.
   * @default 'all'
   */
  follows?: 'all' | 'deadline' | 'nothing' | undefined;
}

const NO_OPTIONS: CallOptions = Object.freeze({});

/**
 * Something that is waited for: a statement, or a connection. It settles once; who gives it up does not wait for
 * what the server makes of it.
 */
export class Call {
  // Declared only: a field that is also initialized is written twice, and there is one of these for every query.
  declare readonly text: string;
  declare readonly values: readonly unknown[] | undefined;
  /** Of a prepared statement. */
  declare readonly name: string | undefined;
  declare readonly kind: 'alone' | 'held' | 'hold';
  declare readonly isScript: boolean;
  declare readonly scope: RequestScope | undefined;
  declare readonly startedAt: number;
  /** When the statement was sent; 0 before. */
  sentAt = 0;
  /** When it is given up, on the clock of `performance.now()`. */
  declare limitAt: number;
  isSettled = false;
  /** Rows that came, for the query log. */
  rowCount = 0;
  /** What went wrong while it was tried again. */
  lastFailure: Error | undefined = undefined;
  /** What to do about a statement that is given up while it runs. */
  abandon: (() => void) | undefined = undefined;
  /** Neighbours among those that are watched. */
  previous: Call | undefined = undefined;
  next: Call | undefined = undefined;
  isWatched = false;

  declare private readonly desk: Desk;
  declare private readonly signal: AbortSignal | undefined;
  declare private readonly followsScope: boolean;
  declare private readonly boundAt: number;
  declare private readonly resolve: (result: never) => void;
  declare private readonly reject: (error: unknown) => void;

  constructor(
    desk: Desk,
    text: string,
    values: readonly unknown[] | undefined,
    options: CallOptions | undefined,
    resolve: (result: never) => void,
    reject: (error: unknown) => void,
  ) {
    const { timeoutMs, signal, name, kind = 'alone', isScript, follows = 'all' } = options ?? NO_OPTIONS;
    const now = performance.now();
    const scope = currentRequest();
    let boundAt = timeoutMs === undefined ? Infinity : now + timeoutMs;
    if (scope?.deadline !== undefined && follows !== 'nothing') {
      const leftMs = scope.deadline - now;
      boundAt = Math.min(boundAt, scope.deadline - Math.min(MAX_MARGIN_MS, leftMs * MARGIN));
    }
    this.desk = desk;
    this.text = text;
    this.values = values;
    this.name = name;
    this.kind = kind;
    this.isScript = isScript === true;
    this.scope = scope;
    this.startedAt = now;
    this.boundAt = boundAt;
    // One of several waits for those before it, which have limits of their own.
    this.limitAt = kind === 'held' ? boundAt : Math.min(boundAt, now + desk.connectMs);
    this.signal = signal;
    this.followsScope = scope !== undefined && follows === 'all';
    this.resolve = resolve;
    this.reject = reject;
  }

  /** The statement is sent: from now on it has its own time. */
  begin(): void {
    this.sentAt = performance.now();
    this.limitAt = Math.min(this.boundAt, this.sentAt + this.desk.statementMs);
  }

  /** It is no statement, but what several of them have in common: only the deadline of the request ends it. */
  hold(): void {
    this.sentAt = this.startedAt;
    this.limitAt = this.boundAt;
  }

  succeed(result: unknown): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.desk.settled(this, undefined);
    this.resolve(result as never);
  }

  /**
   * Succeeds with what a statement gave.
   *
   * @param command the first word of what was done, for those who run transactions
   */
  answer(rows: unknown[], rowCount: number, command: string | undefined): void {
    this.rowCount = rowCount;
    this.succeed(this.kind === 'alone' ? { rows, rowCount } : { rows, rowCount, command });
  }

  fail(error: unknown): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.desk.settled(this, error);
    this.reject(error);
  }

  /** Nobody waits any more. */
  giveUp(error: unknown): void {
    if (this.isSettled) return;
    this.fail(error);
    this.abandon?.();
  }

  /** The signal of those who have gone away, if they have. That of a request costs something to ask for. */
  abortedBy(): AbortSignal | undefined {
    if (this.signal?.aborted === true) return this.signal;
    if (!this.followsScope) return undefined;
    const signal = this.scope?.signal;
    return signal?.aborted === true ? signal : undefined;
  }
}
