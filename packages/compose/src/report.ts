import { signals } from '@signalbox/signals';
import type { ModuleLog } from './options.js';
import type { Slot } from './slot.js';

/** Tells the listeners of the signal, and the log, how it stands with a module now. */
export function reportChange(slot: Slot, log: ModuleLog | undefined): void {
  const { spec, status, error } = slot;
  const isHeard = signals.moduleState.hasSubscribers;
  if (isHeard) {
    const state = status === 'waiting' ? 'loading' : status;
    signals.moduleState.publish({ module: spec.name, prefix: spec.prefix, state, error });
  }
  if (status === 'ready') {
    log?.info(detailsOf(slot), `Module "${spec.name}" is ready at ${spec.prefix}`);
  } else if (status === 'failed') {
    const message = describeFailure(slot);
    if (log !== undefined) log.error({ ...detailsOf(slot), err: error }, message);
    else if (!isHeard) process.emitWarning(`${message}: ${reasonOf(error)}`);
  }
}

function detailsOf({ spec, attempts }: Slot): object {
  return { module: spec.name, prefix: spec.prefix, attempts };
}

function describeFailure({ spec, retryInMs = 0, sameError }: Slot): string {
  const again = `Module "${spec.name}" failed to load; the next try is in ${(retryInMs / 1000).toFixed(1)} s`;
  if (!sameError) return again;
  // A function that imports the same file again gets Node's stored failure, and so does a file that imports another.
  return spec.byUrl
    ? `${again}, but Node keeps the failure of a file that it imports: what may fail there belongs into a function that it calls`
    : `${again}, but Node keeps the failure of an import: load it by its URL, new URL('./file.js', import.meta.url)`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
