import { runInContext, within } from '@signalbox/context';
import { ServiceUnavailableError } from '@signalbox/errors';
import type { SessionData } from 'express-session';
import { LRUCache } from 'lru-cache';

// Names that passport and express-session have made everybody's.
declare global {
  namespace Express {
    /** What `loadUser` finds. An app adds its own fields. */
    interface User {}

    interface Request {
      /** Whom the session belongs to, where there is `loadUser`. */
      user?: User | undefined;
    }
  }
}

declare module 'express-session' {
  interface SessionData {
    /** Who signed in, by `signIn()`. */
    userId: string;
  }
}

/** What a session belongs to. */
export type UserId = SessionData['userId'];

/** Finds the user of an id; `undefined` when there is none (any more). */
export type LoadUser = (userId: UserId) => Express.User | undefined | Promise<Express.User | undefined>;

/** Users that were loaded a moment ago. */
export interface Users {
  /** Whom the cache knows, else what will be known. Requests that come at once are one load. */
  get(userId: string): Express.User | undefined | Promise<Express.User | undefined>;
  forget(userId: string): void;
  close(): void;
}

interface Loaded {
  user: Express.User | undefined;
  untilMs: number;
}

const MAX_USERS = 10_000;

export function cachedUsers(load: LoadUser, cacheMs: number, timeoutMs: number): Users {
  const known = new LRUCache<string, Loaded>({ max: MAX_USERS });
  const loading = new Map<string, Promise<Express.User | undefined>>();

  const late = (): never => {
    throw new ServiceUnavailableError(`loadUser did not answer within ${timeoutMs} ms`, {
      code: 'user_unavailable',
      retryAfterSeconds: 1,
    });
  };

  async function loadOnce(userId: string): Promise<Express.User | undefined> {
    // All that ask meanwhile have this one: that the first of them leaves, or is too late, is nothing to it.
    const work = runInContext({}, async () => load(userId));
    const user = await within(timeoutMs, work, late);
    return user ?? undefined;
  }

  function start(userId: string): Promise<Express.User | undefined> {
    const started = loadOnce(userId);
    loading.set(userId, started);
    const isMine = (): boolean => loading.get(userId) === started && loading.delete(userId);
    started.then(
      (user) => {
        // Who was forgotten meanwhile may have been loaded as he was before.
        if (isMine()) known.set(userId, { user, untilMs: performance.now() + cacheMs });
      },
      () => isMine(),
    );
    return started;
  }

  return {
    get(userId) {
      const found = known.get(userId);
      if (found !== undefined && found.untilMs > performance.now()) return found.user;
      return loading.get(userId) ?? start(userId);
    },
    forget(userId) {
      known.delete(userId);
      loading.delete(userId);
    },
    close() {
      known.clear();
      loading.clear();
    },
  };
}
