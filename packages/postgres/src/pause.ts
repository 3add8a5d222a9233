import { currentRequest } from '@signalbox/context';

/**
 * Waits.
 *
 * @throws the reason of `signal`, or of the current request's, when it is aborted
 */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const signals = [signal, currentRequest()?.signal].filter((each) => each !== undefined);
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const each of signals) each.removeEventListener('abort', end);
      const aborted = signals.find((each) => each.aborted);
      if (aborted === undefined) resolve();
      else reject(aborted.reason as Error);
    };
    const timer = setTimeout(end, ms);
    for (const each of signals) each.addEventListener('abort', end);
    if (signals.some((each) => each.aborted)) end();
  });
}
