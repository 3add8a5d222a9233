import { outsideRequests } from '@signalbox/context';
import { signals, type FeatureState } from '@signalbox/signals';
import { RedisUnavailableError } from './errors.js';

export interface OutageOptions {
  /** What `signals.featureState` calls it, such as `sessions`. */
  feature: string;
  /**
   * Tries in the background what failed, and throws or rejects while it does: so an outage ends also where nobody asks
   * any more. Without it, only {@link Outage.works} ends one.
   *
   * @param about what the last failure was about
   */
  probe?: ((about: string) => unknown) | undefined;
  /**
   * What is said when it begins, before the error's message.
   * @default 'The store does not answer'
   */
  begins?: string | undefined;
  /**
   * What is said when it ends.
   * @default 'The store answers again'
   */
  ends?: string | undefined;
}

/** Says when a feature begins to run by its failure policy, and when that ends; each once. */
export interface Outage {
  /**
   * It failed a request. Where that one had no time left, and so did not ask, it says nothing.
   *
   * @param error why; `undefined` where nobody is to read it
   * @param policy what the feature does instead, as of the first failure
   * @param about handed to the probe: in a cluster each key has a server of its own
   */
  failed(error: unknown, policy: FeatureState['policy'], about?: string): void;
  /** It served a request, which ends the outage at once. */
  works(): void;
  /** Probes no more, and says no more. */
  close(): void;
}

/** What may be asked whether it works; one without `probe` is taken to work when no request has failed for a while. */
export interface Probed {
  probe?(about: string): unknown;
}

const PROBE_EVERY_MS = 250;

/**
 * Watches what a feature depends on, and publishes `signals.featureState` when an outage begins and when it ends.
 *
 * While there is one, `probe` is called every 250 ms; not where a request has failed since, for what one probe finds
 * proves little then. A link that was closed does not come back, and is probed no more. The timers keep no process alive.
 *
 * @example
 * const outage = watchOutage({ feature: 'counters', probe: () => link.command('ping') });
 * link.command('incr', 'visits').catch((error) => outage.failed(error, 'open'));
 */
export function watchOutage(options: OutageOptions): Outage {
  const { feature, probe, begins = 'The store does not answer', ends = 'The store answers again' } = options;
  /** Of the outage that there is. */
  let policy: FeatureState['policy'] | undefined;
  let failedAbout = '';
  /** Whether a request failed since the last time that was looked. */
  let hasFailed = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  function publish(degraded: boolean, reason: string): void {
    if (policy === undefined || !signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature, degraded, policy, reason });
  }

  function end(): void {
    clearTimeout(timer);
    publish(false, ends);
    policy = undefined;
  }

  function probeLater(): void {
    clearTimeout(timer);
    // The deadline of the request that has failed is soon over, and nothing would be asked within it any more.
    timer = outsideRequests(() => setTimeout(() => void look(), PROBE_EVERY_MS).unref());
  }

  async function look(): Promise<void> {
    if (hasFailed) {
      hasFailed = false;
      return probeLater();
    }
    let isOver = false;
    try {
      await probe?.(failedAbout);
      isOver = !hasFailed;
    } catch (error) {
      if (error instanceof RedisUnavailableError && error.reason === 'closed') return;
    }
    // It may have been ended meanwhile by who asked, or for good.
    if (isClosed || policy === undefined) return;
    if (isOver) end();
    else probeLater();
  }

  return {
    failed(error, whichPolicy, about = '') {
      if (isClosed || (error instanceof RedisUnavailableError && error.reason === 'deadline')) return;
      hasFailed = true;
      failedAbout = about;
      if (policy !== undefined) return;
      policy = whichPolicy;
      publish(true, error === undefined ? begins : `${begins}: ${wordsOf(error)}`);
      if (probe !== undefined) probeLater();
    },
    works() {
      if (policy !== undefined && !isClosed) end();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

const outages = new WeakMap<Probed, Outage>();

/** The outage of a store, one for all that ask it. */
export function outageOf(store: Probed, feature: string): Outage {
  const known = outages.get(store);
  if (known !== undefined) return known;
  const outage = watchOutage({ feature, probe: (about) => store.probe?.(about) });
  outages.set(store, outage);
  return outage;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
