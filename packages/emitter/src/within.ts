/** Settles as the work does, or as `expired` says where that takes longer. */
export function within<Result>(
  work: Promise<Result>,
  timeoutMs: number,
  expired: () => Result | Promise<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // An answer that arrived while the event loop stood still is read first.
      setImmediate(() => {
        try {
          resolve(expired());
        } catch (error) {
          reject(error);
        }
      });
    }, timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
