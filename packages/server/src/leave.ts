import { isManaged } from './managed.js';

/** How long something forgotten (an interval, a connection) may keep the process after everything is closed. */
const FORGOTTEN_MS = 500;

/**
 * Ends the process: by itself where nothing keeps it, so that everything written gets out; else after a
 * moment. An exit code that says failure is not replaced by one that does not.
 */
export function leave(code: number): void {
  const exitCode = code === 0 ? (process.exitCode ?? 0) : code;
  process.exitCode = exitCode;
  // A worker of a cluster is let go of rather than torn off: a connection may be in the hand-off. The process manager
  // hands over none, and what a worker tells it as it exits, such as its last counts, has to reach it.
  if (isManaged) process.channel?.unref();
  else if (process.connected) process.disconnect();
  setTimeout(() => process.exit(exitCode), FORGOTTEN_MS).unref();
}
