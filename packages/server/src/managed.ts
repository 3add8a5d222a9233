import cluster from 'node:cluster';
import type { Address } from './options.js';

/**
 * Whether the process manager of `@signalbox/cluster` started this process. It alone then decides what becomes of
 * the process: a terminal's Ctrl-C, or a service manager that signals a whole group, reaches workers too.
 *
 * The variables pass on to whatever the worker starts; the parent tells those apart. It is looked at once, since the
 * parent changes when the manager dies.
 */
export const isManaged: boolean =
  cluster.isWorker && process.env['SIGNALBOX_MANAGER'] === String(process.ppid);

/** Whether the manager has put another worker in this one's place, and told it to drain for that reason. */
export function isReplaced(): boolean {
  return isManaged && process.env['SIGNALBOX_REPLACED'] === '1';
}

let isTaken = false;

/**
 * Where the manager wants its workers to listen. The first server of a process that listens gets it, whatever its own
 * options say; others, such as one for metrics, have an address of their own.
 */
export function takeManagersAddress(): Address | undefined {
  const address = process.env['SIGNALBOX_ADDRESS'];
  if (!isManaged || isTaken || address === undefined) return undefined;
  isTaken = true;
  return JSON.parse(address) as Address;
}

/** The server that had taken it does not listen; a program may try again. */
export function giveManagersAddressBack(): void {
  isTaken = false;
}
