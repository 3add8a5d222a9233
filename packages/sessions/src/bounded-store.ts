import { within } from '@signalbox/context';
import type { SessionStore } from './store.js';

const inTime = new WeakSet<SessionStore>();

/** Says of a store of ours that it answers at once, or has a deadline: a copy, with methods of somebody else, may not. */
export function answersInTime(store: SessionStore): SessionStore {
  inTime.add(store);
  return store;
}

/** The store, each of whose answers comes within that time, or fails. */
export function boundedStore(store: SessionStore, timeoutMs: number): SessionStore {
  if (inTime.has(store)) return store;
  const late = (): never => {
    throw new Error(`The store did not answer within ${timeoutMs} ms`);
  };
  const bounded = <Answer>(answer: Answer | PromiseLike<Answer>): Promise<Answer> =>
    within(timeoutMs, answer, late);
  return {
    read(place, idleMs) {
      const answer = store.read(place, idleMs);
      return typeof answer === 'object' && answer !== null ? bounded(answer) : answer;
    },
    // What fails at once fails as what does so later.
    create: async (...args) => bounded(store.create(...args)),
    update: async (...args) => bounded(store.update(...args)),
    end: async (place) => bounded(store.end(place)),
    list: async (tag) => bounded(store.list(tag)),
    endAll: async (...args) => bounded(store.endAll(...args)),
    keepList: async (...args) => bounded(store.keepList?.(...args)),
    probe: async () => bounded(store.probe?.()),
  };
}
