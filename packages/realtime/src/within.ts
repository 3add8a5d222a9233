import { DeadlineExceededError, within as orAfter } from '@signalbox/context';

/** Rejects with a {@link DeadlineExceededError} when `work` is not done in time; what becomes of it then reaches nobody. */
export function within<Result>(
  ms: number,
  work: Promise<Result>,
  late?: (error: Error) => void,
): Promise<Result> {
  return orAfter(ms, work, () => {
    const error = new DeadlineExceededError(ms);
    late?.(error);
    throw error;
  });
}
