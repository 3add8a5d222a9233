import { ServiceUnavailableError } from '@signalbox/errors';

/** Lets a few things happen at a time; the rest waits in order, up to a bound. */
export interface FewAtOnce {
  /**
   * @param signal aborted when nobody waits for it any more: what has not begun is left out
   * @throws {ServiceUnavailableError} 503 `passwords_busy` when too many wait already
   */
  run<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result>;
}

export function fewAtOnce(maxAtOnce: number, maxWaiting: number): FewAtOnce {
  const waiting = new Set<() => void>();
  let running = 0;

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(begin);
        reject(reasonOf(signal));
      };
      waiting.add(begin);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  return {
    async run(work, signal) {
      if (signal?.aborted === true) throw reasonOf(signal);
      if (running < maxAtOnce) {
        running += 1;
      } else {
        if (waiting.size >= maxWaiting) {
          throw new ServiceUnavailableError('Too many are signing in right now. Try again in a moment.', {
            code: 'passwords_busy',
            retryAfterSeconds: 2,
            expose: true,
          });
        }
        // Who leaves hands the place over, so that nobody slips in between.
        await turn(signal);
      }
      try {
        return await work();
      } finally {
        const [next] = waiting;
        if (next === undefined) {
          running -= 1;
        } else {
          waiting.delete(next);
          next();
        }
      }
    },
  };
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('Nobody waits for it any more');
}
