/**
 * `callback`, for when a response is over: nobody could catch what it throws then, and the process would end for the
 * sake of a log line. The first error becomes a process warning, and `instead` is what it returns.
 */
export function guarded<Args extends unknown[], Result>(
  name: string,
  callback: (...args: Args) => Result,
  instead: Result,
): (...args: Args) => Result {
  let hasWarned = false;
  return (...args) => {
    try {
      return callback(...args);
    } catch (error) {
      if (!hasWarned) warn(name, error);
      hasWarned = true;
      return instead;
    }
  };
}

function warn(name: string, error: unknown): void {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`requestLogger: "${name}" threw, and may again: ${reason}`, {
    code: 'SIGNALBOX_REQUEST_LOGGER',
  });
}
