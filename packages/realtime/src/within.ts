import { DeadlineExceededError } from '@signalbox/context';

/** Rejects with a {@link DeadlineExceededError} when `work` is not done in time; what becomes of it then reaches nobody. */
export async function within<Result>(
  ms: number,
  work: Promise<Result>,
  late?: (error: Error) => void,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlineExceededError(ms);
      reject(error);
      late?.(error);
    }, ms).unref();
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
