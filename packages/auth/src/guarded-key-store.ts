import { within } from '@signalbox/context';
import { watchOutage } from '@signalbox/redis';
import { KeyStoreUnavailableError } from './api-key-errors.js';
import { isThenable } from './thenable.js';
import type { StoreDownPolicy } from './tokens-interface.js';

/** Asks the store of keys, which belongs to the app, with a bound on the time. Every failure is a 503. */
export interface GuardedStore {
  /** What the work returns, at once where it is no promise. Throws or rejects with {@link KeyStoreUnavailableError}. */
  ask<Answer>(work: () => Answer | Promise<Answer>): Answer | Promise<Answer>;
}

export function guardedStore(timeoutMs: number, policy: StoreDownPolicy): GuardedStore {
  const outage = watchOutage({
    feature: 'api-keys',
    begins: 'The store of API keys does not answer',
    ends: 'The store of API keys answers again',
  });

  function fails(error: unknown): KeyStoreUnavailableError {
    outage.failed(error, policy);
    return error instanceof KeyStoreUnavailableError ? error : new KeyStoreUnavailableError(error);
  }

  async function bounded<Answer>(answer: PromiseLike<Answer>): Promise<Answer> {
    try {
      const result = await within(timeoutMs, answer, () => {
        throw new Error(`no answer within ${timeoutMs} ms`);
      });
      outage.works();
      return result;
    } catch (error) {
      throw fails(error);
    }
  }

  return {
    ask(work) {
      let answer: ReturnType<typeof work>;
      try {
        answer = work();
      } catch (error) {
        throw fails(error);
      }
      if (isThenable(answer)) return bounded(answer);
      outage.works();
      return answer;
    },
  };
}
