import { RedisUnavailableError } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import type { TokenStore } from './token-store.js';
import type { StoreDownPolicy } from './tokens-interface.js';

/** Says when tokens begin to be let in, or refused, by policy, and when that ends. One for each store. */
export interface Outage {
  failed(error: unknown, policy: StoreDownPolicy): void;
}

/** How often a store that failed is tried again, so that an outage ends also where nobody asks. */
const PROBE_EVERY_MS = 250;

const outages = new WeakMap<TokenStore, Outage>();

/** The outage of a store, shared by all that ask it. */
export function outageOf(store: TokenStore): Outage {
  let outage = outages.get(store);
  if (outage === undefined) {
    outage = watch(store);
    outages.set(store, outage);
  }
  return outage;
}

function watch(store: TokenStore): Outage {
  let policy: StoreDownPolicy | undefined;
  /** Whether somebody's question failed since the last look: what one probe finds then proves little. */
  let hasFailed = false;

  function publish(degraded: boolean, reason: string): void {
    if (policy === undefined || !signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature: 'tokens', degraded, policy, reason });
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
      await store.probe?.();
      if (!hasFailed) {
        publish(false, 'The store answers again');
        policy = undefined;
        return;
      }
    } catch (error) {
      // A link that was closed does not come back.
      if (error instanceof RedisUnavailableError && error.reason === 'closed') return;
    }
    probeLater();
  }

  return {
    failed(error, whichPolicy) {
      hasFailed = true;
      if (policy !== undefined) return;
      policy = whichPolicy;
      publish(true, `The store does not answer: ${error instanceof Error ? error.message : String(error)}`);
      probeLater();
    },
  };
}
