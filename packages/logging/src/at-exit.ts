const tasks = new Set<() => void>();
let exiting = false;
let listens = false;

/**
 * Runs `task` when the process ends by `process.exit`, by an uncaught exception or by itself; it must
 * be synchronous. One listener serves all, so that a process with many loggers does not warn of a leak.
 */
export function runAtExit(task: () => void): void {
  if (!listens) {
    listens = true;
    process.on('exit', () => {
      exiting = true;
      for (const each of tasks) each();
    });
  }
  tasks.add(task);
}

export function forgetAtExit(task: () => void): void {
  tasks.delete(task);
}

/** Whether the event loop has ended: what is not written now never will be. */
export function isExiting(): boolean {
  return exiting;
}
