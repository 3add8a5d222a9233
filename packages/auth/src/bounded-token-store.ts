import { within } from '@signalbox/context';
import { isThenable } from './thenable.js';
import type { TokenStore } from './token-store.js';

const inTime = new WeakSet<TokenStore>();

/** Says of a store of ours that it answers at once, or has a deadline: a copy, with methods of somebody else, may not. */
export function answersInTime(store: TokenStore): TokenStore {
  inTime.add(store);
  return store;
}

/** The store, each of whose answers comes within that time, or fails. */
export function boundedTokenStore(store: TokenStore, timeoutMs: number): TokenStore {
  if (inTime.has(store)) return store;

  const late = (): never => {
    throw new Error(`The store did not answer within ${timeoutMs} ms`);
  };
  const bounded = <Answer>(answer: Answer | PromiseLike<Answer>): Promise<Answer> =>
    within(timeoutMs, answer, late);
  return {
    // What fails at once fails as what does so later.
    open: async (...args) => bounded(store.open(...args)),
    rotate: async (rotation) => bounded(store.rotate(rotation)),
    revoke: async (...args) => bounded(store.revoke(...args)),
    revokeSubject: async (...args) => bounded(store.revokeSubject(...args)),
    isRevoked(token) {
      const answer = store.isRevoked(token);
      return isThenable(answer) ? bounded(answer) : answer;
    },
    probe: async () => bounded(store.probe?.()),
  };
}
