import { RedisUnavailableError } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import type { RateLimitStore } from './store.js';

/** What happens to requests while the store does not answer. */
export type StoreDownPolicy = 'local' | 'open' | 'closed';

/** Says when limits begin to run by their policy, and when that ends. One for each store. */
export interface Outage {
  /** The store failed a request. */
  failed(error: unknown, policy: StoreDownPolicy, who: string): void;
}

/** How often a store that failed is tried again, so that an outage ends also where nobody asks. */
const PROBE_EVERY_MS = 250;

const outages = new WeakMap<RateLimitStore, Outage>();

/** The outage of a store, shared by all that count in it. */
export function outageOf(store: RateLimitStore): Outage {
  let outage = outages.get(store);
  if (outage === undefined) {
    outage = watch(store);
    outages.set(store, outage);
  }
  return outage;
}

function watch(store: RateLimitStore): Outage {
  let policy: StoreDownPolicy | undefined;
  let failedWho = '';
  /** Whether a request failed since the last time that was looked: what one probe finds then proves little. */
  let hasFailed = false;

  function publish(degraded: boolean, reason: string): void {
    if (policy === undefined || !signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature: 'rate-limit', degraded, policy, reason });
  }

  function end(): void {
    publish(false, 'The store answers again');
    policy = undefined;
  }

  function probeLater(): void {
    setTimeout(() => void probe(), PROBE_EVERY_MS).unref();
  }

  async function probe(): Promise<void> {
    if (hasFailed) {
      hasFailed = false;
      return probeLater();
    }
    try {
      await store.probe?.(failedWho);
      if (!hasFailed) return end();
    } catch (error) {
      // A link that was closed does not come back.
      if (error instanceof RedisUnavailableError && error.reason === 'closed') return;
    }
    probeLater();
  }

  return {
    failed(error, whichPolicy, who) {
      hasFailed = true;
      failedWho = who;
      if (policy !== undefined) return;
      policy = whichPolicy;
      publish(true, `The store does not answer: ${error instanceof Error ? error.message : String(error)}`);
      probeLater();
    },
  };
}
