import type { ServerLog } from '@signalbox/server';
import type { RunningManager } from './manager.js';
import type { Stopping } from './stopping.js';

/** Whether the process is about to exit, since a signal said so. */
export interface Ending {
  bySignal: boolean;
}

/**
 * Has the process obey the signals that Gunicorn obeys (USR1, by which it opens log files again, is Node's own for the
 * debugger: USR2 does that here). It exits when the manager has stopped.
 *
 * @returns a function that takes the listeners away
 */
export function obeySignals(
  manager: RunningManager,
  stopping: Stopping,
  ending: Ending,
  log: ServerLog,
): () => void {
  async function end(quick: boolean): Promise<void> {
    ending.bySignal = true;
    await stopping.stop({ quick });
    process.exit();
  }

  function scale(by: 1 | -1): void {
    const { workersWanted } = manager.status();
    if (workersWanted + by >= 1) manager.scale(workersWanted + by);
    else log.warn({}, 'the last worker stays');
  }

  const actions: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGHUP: () => void manager.reload(),
    // A second one hurries.
    SIGTERM: () => void end(stopping.isStopping),
    SIGINT: () => void end(true),
    SIGQUIT: () => void end(true),
    SIGTTIN: () => scale(1),
    SIGTTOU: () => scale(-1),
    SIGUSR2: () => manager.reopenLogs(),
  };
  const onSignal = (name: NodeJS.Signals): void => {
    log.info({ signal: name }, `received ${name}`);
    actions[name]?.();
  };
  for (const name of Object.keys(actions)) process.on(name, onSignal);
  return () => {
    for (const name of Object.keys(actions)) process.off(name, onSignal);
  };
}
