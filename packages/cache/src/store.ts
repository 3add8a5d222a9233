import type { CacheKey } from './cache-key.js';
import type { Entry } from './entry.js';

/** What to forget. */
export type Invalidation =
  | { readonly tag: string | readonly string[] }
  /** Everything below a path. */
  | { readonly prefix: string }
  /** Paths such as `/users/:id/*`: `:name` is one segment, `*` any number of characters. */
  | { readonly pattern: string }
  /** A path, with all its queries and variants; or the name of a memoized function, with all its results. */
  | { readonly key: string };

/** The right to make what many wait for. */
export interface Claim {
  /** Whether it was got: otherwise another process has it. */
  readonly isMine: boolean;
  /** Gives it back. Doing so again does nothing. */
  release(): void;
}

/** How much a store holds. */
export interface StoreSize {
  /** In this process. */
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Where the answers live. A store never fails a request: what it cannot find, read or keep is a miss. What was
 * invalidated is never read again, also where it was asked for before that and arrives later.
 */
export interface CacheStore {
  /** Starts to ask before it returns. An answer that is known at once is no promise. */
  read(key: CacheKey): Entry | undefined | Promise<Entry | undefined>;
  /** Keeps an entry until its `keptUntil`. */
  write(key: CacheKey, entry: Entry): void | Promise<void>;
  /** Forgets an entry with all its variants, everywhere. */
  remove(key: CacheKey): void | Promise<void>;
  /** Forgets what it says, everywhere. Rejects when that cannot be done. */
  invalidate(what: Invalidation): void | Promise<void>;
  /** The number of the last invalidation that is known: what is asked for now bears it. */
  readonly stamp: number;
  /**
   * Whether nothing is known by which an entry that was asked for so many milliseconds ago was forgotten since: who
   * asked later does not get it. Without it, every entry is for whoever waits.
   */
  isCurrent?(key: CacheKey, entry: Entry, askedMsAgo: number): boolean;
  /**
   * Asks for the right to make an entry, where several processes could; without it this process has it.
   * The right ends by itself when its holder dies. A read that begins after it was asked for finds what
   * all processes share, and no older copy: whoever had the right before may just have kept it.
   */
  claim?(key: CacheKey): Promise<Claim>;
  size(): StoreSize;
  /** Ends what it keeps alive. Does not close the client. */
  close(): void;
}
