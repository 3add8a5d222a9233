import type { ProcessManager, RunningManager } from './manager.js';

/** How a manager comes to its end, whoever asks for it. */
export interface Stopping {
  /** As the manager's own, and closes everything else, too. */
  readonly stop: ProcessManager['stop'];
  readonly isStopping: boolean;
}

export function openStopping(manager: RunningManager, close: () => Promise<void>): Stopping {
  let stopped: Promise<void> | undefined;
  return {
    get isStopping() {
      return stopped !== undefined;
    },
    stop(options) {
      const gone = manager.stop(options);
      stopped ??= gone.then(close);
      return stopped;
    },
  };
}
