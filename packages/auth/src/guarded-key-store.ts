import { signals } from '@signalbox/signals';
import { KeyStoreUnavailableError } from './api-key-errors.js';
import { isThenable } from './thenable.js';
import type { StoreDownPolicy } from './tokens-interface.js';

/** Asks the store of keys, which belongs to the app, with a bound on the time. Every failure is a 503. */
export interface GuardedStore {
  /** What the work returns, at once where it is no promise. Throws or rejects with {@link KeyStoreUnavailableError}. */
  ask<Answer>(work: () => Answer | Promise<Answer>): Answer | Promise<Answer>;
}

export function guardedStore(timeoutMs: number, policy: StoreDownPolicy): GuardedStore {
  let isDown = false;

  function works(): void {
    if (isDown) note(false, 'The store of API keys answers again');
  }

  function fails(error: unknown): KeyStoreUnavailableError {
    if (!isDown) {
      const words = error instanceof Error ? error.message : String(error);
      note(true, `The store of API keys does not answer: ${words}`);
    }
    return error instanceof KeyStoreUnavailableError ? error : new KeyStoreUnavailableError(error);
  }

  function note(degraded: boolean, reason: string): void {
    isDown = degraded;
    if (!signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature: 'api-keys', degraded, policy, reason });
  }

  async function bounded<Answer>(answer: PromiseLike<Answer>): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const result = await Promise.race([answer, late]);
      works();
      return result;
    } catch (error) {
      throw fails(error);
    } finally {
      clearTimeout(timer);
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
      works();
      return answer;
    },
  };
}
