import { requireText } from '@signalbox/options';
import type { Request } from 'express';
import { SessionRequiredError, SessionStoreUnavailableError } from './errors.js';
import { infoOf, keepListed, withoutTooOld, type SessionInfo } from './ownership.js';
import { publish } from './saver.js';
import { readText } from './session-text.js';
import type { ListedSession } from './store.js';
import { requireVisit, type Kit } from './visit.js';

/** All that an app does with the sessions of a user. */
export interface UserSessions {
  list(userId: string, here: string | undefined): Promise<SessionInfo[]>;
  endAll: (userId: string, exceptHandle?: string) => Promise<number>;
  readonly revoke: (userId: string, handle: string) => Promise<boolean>;
  readonly extend: (userId: string, handle: string) => Promise<boolean>;
  readonly revokeOthers: (req: Request) => Promise<number>;
  readonly lastActivityOf: (userId: string) => Promise<Date | undefined>;
}

const HANDLE = /^[\w-]{22}$/;

export function userSessions({ settings, saver }: Kit): UserSessions {
  const { ids, store, idleMs, absoluteMs, activityMs, now } = settings;

  /** Every read lets the idle time begin anew, so that nothing has to be written to know when that was. */
  const lastSeenMs = ({ leftMs }: ListedSession): number => now() - (idleMs - leftMs);

  async function listAll(userId: string): Promise<ListedSession[]> {
    requireText('sessions', 'userId', userId);
    const lists = await Promise.all(ids.tagsOf(userId).map((tag) => saver.ask(store.list(tag))));
    return withoutTooOld(lists.flat(), settings);
  }

  async function endAll(userId: string, exceptHandle?: string): Promise<number> {
    requireText('sessions', 'userId', userId);
    const tags = ids.tagsOf(userId);
    const counts = await Promise.all(tags.map((tag) => saver.ask(store.endAll(tag, exceptHandle))));
    const ended = counts.reduce((sum, count) => sum + count, 0);
    for (let each = 0; each < ended; each++) publish('revoked');
    return ended;
  }

  return {
    endAll,

    async list(userId, here) {
      const listed = await listAll(userId);
      listed.sort((one, other) => other.leftMs - one.leftMs);
      return listed.map((session) => infoOf(session, lastSeenMs(session), here));
    },

    async revoke(userId, handle) {
      requireText('revoke', 'userId', userId);
      // It comes from a URL: whatever is no public name is nobody's.
      if (typeof handle !== 'string' || !HANDLE.test(handle)) return false;
      for (const tag of ids.tagsOf(userId)) {
        const isListed = (await saver.ask(store.list(tag))).some((session) => session.handle === handle);
        if (!isListed || !(await saver.end({ tag, handle }))) continue;
        publish('revoked');
        return true;
      }
      return false;
    },

    async extend(userId, handle) {
      requireText('extend', 'userId', userId);
      if (typeof handle !== 'string' || !HANDLE.test(handle)) return false;
      for (const tag of ids.tagsOf(userId)) {
        const text = await saver.read({ tag, handle });
        const read = text ? readText(text) : undefined;
        if (read === undefined || read.createdAtMs + absoluteMs <= now()) continue;
        keepListed(settings, tag);
        return true;
      }
      return false;
    },

    async revokeOthers(req) {
      const { userId, kept, failure } = requireVisit('revokeOthers', req);
      if (failure !== undefined) throw new SessionStoreUnavailableError(failure);
      if (userId === undefined || kept === undefined) throw new SessionRequiredError();
      return endAll(userId, kept.place.handle);
    },

    async lastActivityOf(userId) {
      const seenMs = Math.max(...(await listAll(userId)).map(lastSeenMs));
      return seenMs > now() - activityMs ? new Date(seenMs) : undefined;
    },
  };
}
