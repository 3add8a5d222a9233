import type { IdempotencyStore } from '@signalbox/security';
import type { Sealed } from './accounts/sealed.js';

/** An answer that cannot be had again: what it says of the first request is that it was done. */
const UNREADABLE = JSON.stringify({ status: 500, fields: [], body: null });

/** Keeps answers so that whoever reads the store does not have what they say, such as a new API key. */
export function sealedAnswers(store: IdempotencyStore, box: Sealed): IdempotencyStore {
  return {
    shared: store.shared,
    async begin(id, claim) {
      const begun = await store.begin(id, claim);
      if (begun.state !== 'done') return begun;
      return { ...begun, answer: box.open(Buffer.from(begun.answer, 'base64'))?.text ?? UNREADABLE };
    },
    finish: (id, holder, answer, ttlSeconds) =>
      store.finish(id, holder, box.seal(answer).toString('base64'), ttlSeconds),
    release: (id, holder) => store.release(id, holder),
  };
}
