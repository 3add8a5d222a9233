/** Where a session is kept. The sessions of one user share a tag; one without a user has a tag of its own. */
export interface SessionPlace {
  readonly tag: string;
  /** A hash of the session's id: the public name of the session. */
  readonly handle: string;
}

/** What becomes of one top-level key. */
export interface Change {
  /** The key in JSON, and a colon. */
  readonly token: string;
  /** The key and its value, in JSON; empty where the key is deleted. */
  readonly member: string;
  /**
   * The SHA-1 of the member that this was made from, `'none'` where there was none: the change is refused where there
   * is another now. Empty: whatever is there.
   */
  readonly expected: string;
}

/** What a new session of a user is held to. */
export interface Ownership {
  /** When it began and on which device, for the list of the user's sessions. */
  readonly entry: string;
  /** Sessions that began then or before are too old: nobody can use them any more, and they count for nothing. */
  readonly tooOldMs: number;
  /** The session that ends when this one begins, where it is of the same user: it does not count either. */
  readonly replaces?: string | undefined;
  /** How long the list is kept, in milliseconds. */
  readonly keptMs: number;
  /** How many sessions the user may have; 0 for as many as there are. */
  readonly max: number;
  /** Whether the new one is refused where there are too many; else the oldest make room. */
  readonly refuse: boolean;
}

/** A session in the list of a user. */
export interface ListedSession {
  readonly handle: string;
  readonly entry: string;
  /** How long it lives on if it is not used, in milliseconds. */
  readonly leftMs: number;
}

/** How a creation went: how many others had to make room, or why it was refused. */
export type Created = number | 'exists' | 'full';
/** What became of a write. */
export type Updated = 'saved' | 'gone' | 'conflict' | 'too_large';

/**
 * Where the sessions live, each as a text whose format is that of `session-text.ts`.
 *
 * Each method is one atomic step. A session that has ended does not come back: for a while its place is taken by an
 * empty text, so that whoever creates or changes it late is refused.
 */
export interface SessionStore {
  /**
   * The text of a session, which lives on for `idleMs` from now; empty when it has ended, `undefined` when there is
   * none. Starts to ask before it returns; an answer that is known at once is no promise.
   */
  read(place: SessionPlace, idleMs: number): string | undefined | Promise<string | undefined>;
  /** Refused where there is one, or was one a moment ago. */
  create(place: SessionPlace, text: string, idleMs: number, owner?: Ownership): Promise<Created>;
  /** Changes some keys and leaves the others as they are now; refused where there is no session (any more). */
  update(place: SessionPlace, changes: readonly Change[], idleMs: number, maxBytes: number): Promise<Updated>;
  /** Answers whether there was one. */
  end(place: SessionPlace): Promise<boolean>;
  /** The sessions of a user that are alive. */
  list(tag: string): Promise<ListedSession[]>;
  /**
   * Keeps the list of a user for so long from now. A store whose lists last as long as what is in them has none.
   */
  keepList?(tag: string, keptMs: number): Promise<void>;
  /** Ends all of a user's sessions, but for one; answers how many there were. */
  endAll(tag: string, exceptHandle?: string): Promise<number>;
  /** Rejects while the others would: a store that cannot fail has none. */
  probe?(): Promise<void>;
}

/** How long it is remembered that a session has ended: longer than any request that began before goes on. */
export const REMEMBER_END_MS = 120_000;
