import { LRUCache } from 'lru-cache';
import type { Background } from '../background.js';
import type { Asker, Identity } from '../identity.js';

/** How long it takes at most until another process hears that somebody's searches are to be kept. */
const REMEMBER_MS = 10_000;

export interface HistoryKeeper {
  searched(who: Asker, query: string): void;
  setWish(userId: string, isWanted: boolean): Promise<void>;
}

/**
 * Keeps the searches of those who want that, without anybody waiting for it. That they want it is known to the database
 * alone: who does not any more is not kept a search of by a process that has not heard of it.
 */
export function historyKeeper(
  { users, history }: Pick<Identity, 'users' | 'history'>,
  background: Background,
): HistoryKeeper {
  /** Of `false` nothing is asked. */
  const wishes = new LRUCache<string, boolean>({ max: 10_000, ttl: REMEMBER_MS });

  async function keep(userId: string, query: string): Promise<void> {
    if (wishes.get(userId) === false || (await history.add(userId, query))) return;
    // What was wished meanwhile is newer than this.
    if (!wishes.has(userId)) wishes.set(userId, false);
  }

  return {
    searched({ id, method, roles }, query) {
      // What programs search is not what a person did.
      if (method === 'api_key' || roles.includes('guest')) return;
      background.run('keeping a search', keep(id, query));
    },
    async setWish(userId, isWanted) {
      // Also while it is written down: what is found out meanwhile may be from before.
      wishes.set(userId, true);
      await users.setKeepsHistory(userId, isWanted);
      wishes.set(userId, isWanted);
    },
  };
}
