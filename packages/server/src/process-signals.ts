import { constants } from 'node:os';
import type { DrainReport } from './drain-report.js';
import { leave } from './leave.js';
import { isManaged } from './managed.js';
import type { Closable } from './open-servers.js';

/** A terminal's Ctrl-C reaches the process twice where npm started it: from the terminal, and from npm. */
const SAME_KEYSTROKE_MS = 100;

const watched = new Set<Closable>();
let ending:
  | { readonly signal: string; readonly since: number; readonly drains: Promise<DrainReport>[] }
  | undefined;

/** A worker leaves SIGINT to its manager. */
const SIGNALS = isManaged ? (['SIGTERM'] as const) : (['SIGTERM', 'SIGINT'] as const);

/**
 * Drains the server and ends the process on SIGTERM or SIGINT; a second one ends it at once. The process has
 * listeners only while there are servers to drain.
 *
 * @returns a function that takes the server out again
 */
export function drainOnSignals(server: Closable): () => void {
  if (watched.size === 0) {
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  watched.add(server);
  // One that was about to listen when the signal came. It is drained once whoever opened it has it.
  const { drains, signal: reason = '' } = ending ?? {};
  drains?.push(Promise.resolve().then(() => server.close({ reason })));

  return () => {
    // Once the process is ending, the listeners stay for its last moments.
    if (!watched.delete(server) || watched.size > 0 || ending !== undefined) return;
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

function onSignal(signal: 'SIGTERM' | 'SIGINT'): void {
  if (ending === undefined) {
    const drains = [...watched].map((server) => server.close({ reason: signal }));
    ending = { signal, since: performance.now(), drains };
    void endProcess(drains);
  } else if (!isManaged && !isSameKeystroke(signal, ending)) {
    // Not in a worker, where the second one may come from a service manager that tells all of its processes.
    process.exit(128 + constants.signals[signal]);
  }
}

function isSameKeystroke(signal: string, first: { signal: string; since: number }): boolean {
  return (
    signal === 'SIGINT' && first.signal === 'SIGINT' && performance.now() - first.since < SAME_KEYSTROKE_MS
  );
}

async function endProcess(drains: readonly Promise<DrainReport>[]): Promise<void> {
  let isClean = true;
  // It grows while others are waited for.
  for (const drain of drains) isClean = (await drain).clean && isClean;
  leave(isClean ? 0 : 1);
}
