import { signals } from '@signalbox/signals';
import type { SessionStore } from './store.js';

/** Says when sessions cannot be read or saved, and when that is over. */
export interface Outage {
  /** The store failed a request. */
  failed(error: unknown): void;
  close(): void;
}

/** How often a store that failed is asked again, so that an outage ends also where nobody comes. */
const PROBE_EVERY_MS = 250;

export function watchOutage(store: SessionStore): Outage {
  let isDown = false;
  let isClosed = false;
  /** Whether a request failed since the last time that was looked. */
  let hasFailed = false;
  let timer: NodeJS.Timeout | undefined;

  function publish(degraded: boolean, reason: string): void {
    if (!signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature: 'sessions', degraded, policy: 'unavailable', reason });
  }

  function probeLater(): void {
    if (isClosed) return;
    timer = setTimeout(() => void probe(), PROBE_EVERY_MS).unref();
  }

  async function probe(): Promise<void> {
    hasFailed = false;
    try {
      await store.probe?.();
    } catch {
      // Still down: asked again below.
      hasFailed = true;
    }
    if (hasFailed) return probeLater();
    isDown = false;
    publish(false, 'The store answers again');
  }

  return {
    failed(error) {
      hasFailed = true;
      if (isDown || isClosed) return;
      isDown = true;
      publish(true, `The store does not answer: ${error instanceof Error ? error.message : String(error)}`);
      probeLater();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
