import { LRUCache } from 'lru-cache';
import type { Background } from '../background.js';
import type { Asker, Identity } from '../identity.js';

/** How long it takes at most until another process hears that somebody's searches are to be kept, or not. */
const REMEMBER_MS = 10_000;

export interface HistoryKeeper {
  searched(who: Asker, query: string): void;
  setWish(userId: string, isWanted: boolean): Promise<void>;
}

/** Keeps the searches of those who want that, without anybody waiting for it. */
export function historyKeeper({ users, history }: Identity, background: Background): HistoryKeeper {
  const wishes = new LRUCache<string, boolean>({ max: 10_000, ttl: REMEMBER_MS });

  async function keep(userId: string, query: string): Promise<void> {
    let isWanted = wishes.get(userId);
    if (isWanted === undefined) {
      isWanted = (await users.byId(userId))?.keepsHistory === true;
      wishes.set(userId, isWanted);
    }
    if (isWanted) await history.add(userId, query);
  }

  return {
    searched({ id, method, roles }, query) {
      // What programs search is not what a person did.
      if (method === 'api_key' || roles.includes('guest')) return;
      background.run('keeping a search', keep(id, query));
    },
    async setWish(userId, isWanted) {
      await users.setKeepsHistory(userId, isWanted);
      wishes.set(userId, isWanted);
    },
  };
}
